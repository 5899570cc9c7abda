"""Every template, rendered by Ansible with the variables that a host has, is a file of its kind."""

import base64
import configparser
import hashlib
import json
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from demonstrator.bundles.coordinator.password import Password
from runner.ansible import inventory
from runner.declaration import pki
from runner.declaration.model import load
from runner.state import CHECKOUT, DECLARATION, State
from tests.support.role_variables import FORMER, ROLES, SHARED, changed

TEMPLATES = sorted(path for path in (CHECKOUT / "roles").glob("*/templates/*.j2"))
HOSTS = ("controller", "node-1")
RENDER = [
    {
        "name": "Render every template of the role",
        "ansible.builtin.copy": {
            "content": """
                {%- set found = {} -%}
                {%- for path in query('fileglob', role_path ~ '/templates/*.j2') -%}
                {%- set _ = found.update({path | basename: lookup('template', path)}) -%}
                {%- endfor -%}
                {{ found | to_json }}
                """,
            "dest": "{{ rendered }}/{{ inventory_hostname }}/{{ role_name }}.json",
        },
        # What a role's task says of a kubeconfig.
        "vars": {"kubeconfig": {"user": "somebody", "ca": "/ca", "certificate": "/crt", "key": "/key"}},
    }
]
PASSWORD = "of the dashboard"  # noqa: S105 - of nobody
# What a task of the role asks the host (2 CPUs and 16 GiB), and what a user sets.
ASKED = {
    "__kube_node_capacity": {"stdout_lines": ["2", str(16 * 2**20)]},
    "inaetics_app_dashboard_password": PASSWORD,
}
IMAGES = dict.fromkeys(["pause:2", "coredns/coredns:1.15.0", "metrics-server/metrics-server:v0.9.0"], "sha256:00ff")
PROGRAMS = [
    "containerd",
    "etcd",
    "flanneld",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-proxy",
    "kube-scheduler",
    "kubelet",
    "registry",
    "runc",
]


def unit(text: str) -> None:
    """A systemd unit: sections with settings, each of them once where systemd takes the last."""
    parser = configparser.RawConfigParser(strict=False, allow_no_value=False, interpolation=None)
    joined = "\n".join(line for line in text.replace("\\\n", "").splitlines() if not line.lstrip().startswith("#"))
    parser.read_string(joined)
    assert parser.sections() in (["Unit", "Service", "Install"], ["Manager"])


def manifests(text: str) -> None:
    """YAML documents, the objects of Kubernetes among them with kind and name."""
    for document in yaml.safe_load_all(text):
        assert isinstance(document, dict)
        if "metadata" in document:
            assert document["kind"]
            assert document["metadata"]["name"]


def script(text: str) -> None:
    subprocess.run(["sh", "-n"], input=text, text=True, check=True)


def settings(text: str) -> None:
    """Lines for sysctl or sudo: none of them half a template."""
    assert "{" not in text


KINDS: dict[str, Callable[[str], Any]] = {
    ".service": unit,
    ".yml": manifests,
    ".toml": tomllib.loads,
    ".sh": script,
    ".conf": settings,
    ".json": json.loads,
}
BY_NAME: dict[str, Callable[[str], Any]] = {
    "sudoers.j2": settings,
    "status-unit-format.conf.j2": unit,
}


def render(work: Path, variables: dict[str, Any], declared: Path = DECLARATION) -> Path:
    """Return a directory HOST/ROLE/TEMPLATE, rendered as the roles do on a controller and on a node."""
    declaration = load(declared)
    state = State(work)
    pki.ensure(declaration, inventory.read_endpoints(declaration), state)
    state.release.mkdir(exist_ok=True)
    manifest = {"binaries": dict.fromkeys(PROGRAMS, "00ff"), "images": IMAGES}
    (state.release / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    described = inventory.build_inventory(declaration, {})
    listing = work / "inventory" / "hosts.sh"  # group_vars beside it would win over what it says
    listing.parent.mkdir()
    listing.write_text(f"#!/bin/sh\ncat <<'EOF'\n{json.dumps(described)}\nEOF\n", "utf-8")
    listing.chmod(0o700)

    for part in ("group_vars", "playbooks", "roles"):
        shutil.copytree(CHECKOUT / part, work / part, symlinks=True)
    shutil.copy(CHECKOUT / "ansible.cfg", work)
    roles = sorted(path.name for path in (work / "roles").iterdir())
    for role in roles:
        (work / "roles" / role / "tasks" / "main.yml").write_text(yaml.safe_dump(RENDER), "utf-8")
        for host in HOSTS:
            (work / "rendered" / host / role).mkdir(parents=True)
    play = {"hosts": ":".join(HOSTS), "connection": "local", "gather_facts": False, "roles": roles}
    (work / "playbooks" / "play.yml").write_text(yaml.safe_dump([play]), "utf-8")
    (work / "variables.yml").write_text(yaml.safe_dump(variables | {"rendered": str(work / "rendered")}), "utf-8")
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    command = [program, "-i", str(listing), "-e", "@variables.yml", "playbooks/play.yml"]
    run = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    for listed in (work / "rendered").glob("*/*.json"):
        for name, text in json.loads(listed.read_text("utf-8")).items():
            (listed.with_suffix("") / name).write_text(text, "utf-8")
        listed.unlink()
    return work / "rendered"


@pytest.fixture(scope="module", name="rendered")
def fixture_rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The templates with every variable as it is declared."""
    return render(tmp_path_factory.mktemp("templates"), ASKED)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: f"{path.parent.parent.name}-{path.name}")
@pytest.mark.parametrize("host", HOSTS)
def test_a_rendered_file_is_of_its_kind(rendered: Path, host: str, template: Path) -> None:
    text = (rendered / host / template.parent.parent.name / template.name).read_text("utf-8")
    kind = BY_NAME.get(template.name) or KINDS[Path(template.stem).suffix]
    kind(text)
    assert "Ansible managed" in text or template.name in ("hardening.conf.j2", "network.json.j2")


def test_a_node_offers_what_is_declared_however_large_the_machine(rendered: Path) -> None:
    kubelet = yaml.safe_load((rendered / "node-1" / "kube-node" / "kubelet.yml.j2").read_text("utf-8"))
    evicting = int(kubelet["evictionHard"]["memory.available"].removesuffix("Mi")) * 1024
    assert 2 - int(kubelet["systemReserved"]["cpu"]) == 1
    assert 16 * 2**20 - int(kubelet["systemReserved"]["memory"].removesuffix("Ki")) - evicting == 1024 * 1024


@pytest.mark.parametrize("count", [6, 1])
def test_how_many_nodes_there_are_changes_what_is_spread_over_two(
    rendered: Path, tmp_path_factory: pytest.TempPathFactory, count: int
) -> None:
    """`digest_of_inputs` of runner/ansible/last_runs.py relies on it: one more node runs no role on the others."""
    work = tmp_path_factory.mktemp("nodes")
    shutil.copytree(rendered.parent / ".cluster", work / ".cluster", symlinks=True)
    declared = work / "cluster.yml"
    declared.write_text(DECLARATION.read_text("utf-8").replace("count: 5", f"count: {count}"), "utf-8")
    assert len(load(declared).hosts) == 1 + count
    other = render(work, ASKED, declared)
    files = [path.relative_to(rendered) for path in rendered.rglob("*") if path.is_file()]
    differing = {path.name for path in files if (rendered / path).read_bytes() != (other / path).read_bytes()}
    assert differing == ({"coredns.yml.j2", "network-check.yml.j2"} if count == 1 else set())
    objects = yaml.safe_load_all((other / "controller" / "kube-master" / "network-check.yml.j2").read_text("utf-8"))
    (checking,) = (one["spec"]["template"]["spec"] for one in objects if one["kind"] == "DaemonSet")
    script(checking["containers"][0]["command"][-1])


async def test_the_dashboards_password_is_in_no_file(rendered: Path) -> None:
    files = [path.read_text("utf-8") for path in (rendered / "controller").glob("*/*")]
    assert [text for text in files if PASSWORD in text] == []
    secret = yaml.safe_load((rendered / "controller" / "inaetics-app" / "dashboard-secret.yml.j2").read_text("utf-8"))
    kept = base64.b64decode(secret["data"]["password-hash"]).decode()
    assert await Password(kept).admits("Basic " + base64.b64encode(f"x:{PASSWORD}".encode()).decode())
    # Its salt stays with the cluster, so that another run makes the same hash.
    assert (rendered.parent / ".cluster" / "dashboard-salt").read_text("utf-8").strip() == kept.split("$")[4]


def test_the_cni_list_is_made_from_the_lease(rendered: Path, tmp_path: Path) -> None:
    """The lease is in gateway form; host-local wants the network."""
    lease = "FLANNEL_NETWORK=10.1.0.0/16\nFLANNEL_SUBNET=10.1.65.1/24\nFLANNEL_MTU=1450\n"
    (tmp_path / "subnet.env").write_text(lease, "utf-8")
    text = (rendered / "node-1" / "flannel" / "flannel-cni.sh.j2").read_text("utf-8")
    text = text.replace("/run/flannel", str(tmp_path)).replace("/etc/cni/net.d", str(tmp_path))
    subprocess.run(["sh"], input=text, text=True, check=True)
    bridge, portmap = json.loads((tmp_path / "10-flannel.conflist").read_text("utf-8"))["plugins"]
    assert bridge["ipam"]["ranges"] == [[{"subnet": "10.1.65.0/24"}]]
    assert bridge["mtu"] == 1450
    assert portmap["type"] == "portmap"


def test_the_cluster_is_told_the_sum_of_the_token_and_never_the_token(rendered: Path) -> None:
    token = State(rendered.parent).provisioning_token.read_text("utf-8")
    secret = yaml.safe_load(
        (rendered / "controller" / "inaetics-app" / "provisioning-secret.yml.j2").read_text("utf-8")
    )
    assert base64.b64decode(secret["data"]["sha256"]).decode() == hashlib.sha256(token.encode()).hexdigest()
    for path in rendered.rglob("*"):
        assert not path.is_file() or token not in path.read_text("utf-8"), path


def test_the_provisioning_server_alone_has_the_credential_and_its_own_account(rendered: Path) -> None:
    text = (rendered / "controller" / "inaetics-app" / "application.yml.j2").read_text("utf-8")
    pods = {
        item["metadata"]["name"]: item["spec"]["template"]["spec"]
        for item in yaml.safe_load_all(text)
        if item["kind"] == "ReplicationController"
    }
    holders = [name for name, pod in pods.items() if any("secret" in volume for volume in pod["volumes"])]
    accounts = {name: pod["serviceAccountName"] for name, pod in pods.items()}
    assert holders == ["ace-provisioning-controller"]
    assert [name for name, account in accounts.items() if account == "ace-provisioning"] == holders


def test_the_provisioning_server_may_keep_config_maps_in_its_namespace_and_nothing_else(rendered: Path) -> None:
    text = (rendered / "controller" / "inaetics-app" / "rbac.yml.j2").read_text("utf-8")
    objects = [item for item in yaml.safe_load_all(text) if item["kind"] in ("Role", "RoleBinding")]
    bound = [item for item in objects if any(s["name"] == "ace-provisioning" for s in item.get("subjects", ()))]
    assert [(item["metadata"]["namespace"], item["roleRef"]["name"]) for item in bound] == [
        ("inaetics-provisioning", "ace-provisioning")
    ]
    (role,) = (i for i in objects if i["kind"] == "Role" and i["metadata"]["name"] == "ace-provisioning")
    assert role["metadata"]["namespace"] == "inaetics-provisioning"
    assert role["rules"] == [
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "create", "update", "delete"]}
    ]


@pytest.fixture(scope="module", name="changed_everywhere")
def fixture_changed_everywhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The templates with another value for every variable, on real machines that are somebody else's."""
    guests = {"cluster_owns_hosts": False, "cluster_hosts_are_containers": False}
    different = {name: value for role in ROLES for name, value in changed(role).items()}
    return render(tmp_path_factory.mktemp("changed"), ASKED | SHARED | guests | different)


def test_etcd_gets_no_choice_of_cipher_suites_where_it_speaks_tls_1_3_alone(
    rendered: Path, changed_everywhere: Path
) -> None:
    """It refuses to start with one."""
    files = [directory / "controller" / "etcd" / "etcd.yml.j2" for directory in (rendered, changed_everywhere)]
    usual, strict = (yaml.safe_load(file.read_text("utf-8")) for file in files)
    assert (usual["tls-min-version"], "cipher-suites" in usual) == ("TLS1.2", True)
    assert (strict["tls-min-version"], "cipher-suites" in strict) == ("TLS1.3", False)


def test_nothing_is_said_twice(changed_everywhere: Path) -> None:
    """With every default changed no template has the former value: each fact has one place."""
    found = {
        str(path.relative_to(changed_everywhere)): FORMER.findall(path.read_text("utf-8"))
        for path in changed_everywhere.rglob("*")
        if path.is_file()
    }
    assert {name: values for name, values in found.items() if values} == {}


def test_containers_alone_give_up_what_a_container_cannot_set(rendered: Path, changed_everywhere: Path) -> None:
    """Kubernetes' own defaults for what stays out: a score of -999, a table of connections, a disk with room."""
    for directory, container in ((rendered, True), (changed_everywhere, False)):
        node = directory / "node-1"
        kubelet = yaml.safe_load((node / "kube-node" / "kubelet.yml.j2").read_text("utf-8"))
        proxy = yaml.safe_load((node / "kube-proxy" / "kube-proxy.yml.j2").read_text("utf-8"))
        runtime = tomllib.loads((node / "kube-node" / "containerd.toml.j2").read_text("utf-8"))
        units = [node / "kube-node" / "containerd.service.j2", node / "kube-proxy" / "kube-proxy.service.j2"]
        given_up = [
            "oomScoreAdj" in kubelet,
            kubelet["evictionHard"]["nodefs.available"] == "0%",
            kubelet.get("imageGCHighThresholdPercent") == 100,
            "oomScoreAdj" in proxy,
            "conntrack" in proxy,
            "restrict_oom_score_adj" in runtime["plugins"]["io.containerd.cri.v1.runtime"],
            *("OOMScoreAdjust=-999" not in path.read_text("utf-8") for path in units),
        ]
        assert set(given_up) == {container}


def test_a_guest_leaves_prompt_and_sudo_to_the_machines_owner(rendered: Path, changed_everywhere: Path) -> None:
    for directory, ours in ((rendered, True), (changed_everywhere, False)):
        host = directory / "node-1" / "host"
        assert ("PS1=" in (host / "profile.sh.j2").read_text("utf-8")) == ours
        assert ("NOPASSWD" in (host / "sudoers.j2").read_text("utf-8")) == ours
