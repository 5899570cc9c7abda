"""Runs of `site` on a cluster that somebody changed: exact, complete after an interruption, and foretold by --check."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from cryptography import x509
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from runner.declaration.model import Host
from runner.state import State
from tests.hosts.services import SERVICES
from tests.support.cluster.disruption import BACK, recovered, run, wait_until_ready
from tests.support.cluster.pods import CoreApi
from tests.support.cluster.site import run_site, site
from tests.support.cluster.workstation import Shell
from tests.support.polling import wait_until

pytestmark = pytest.mark.disruptive

PODS = ("-e", "kube_node_max_pods=111")  # a setting of every kubelet, which the API shows
FILES = "kube-node : Install files"

Started = Callable[[], dict[str, str]]


@pytest.fixture(name="started")
def fixture_started(on: Callable[[str], Shell], nodes: Sequence[Host]) -> Started:
    """Tells when each unit of the cluster was started: "node-1 kubelet" and the number of that start."""

    def started() -> dict[str, str]:
        found: dict[str, str] = {}
        of_nodes = [service.name for service in SERVICES if service.group in {"cluster", "workers"}]
        of_controller = [service.name for service in SERVICES if service.group != "workers"]
        for host, units in {
            "controller": [*of_controller, "inaetics"],
            **{node.name: of_nodes for node in nodes},
        }.items():
            shown = on(host).root(f"systemctl show --property=InvocationID --value {' '.join(units)}").split()
            found |= {f"{host} {unit}": number for unit, number in zip(units, shown, strict=True)}
        return found

    return started


def restarted(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {unit for unit, number in before.items() if after[unit] != number}


def identities(core: CoreApi) -> set[str]:
    """Return which replication controllers of the demonstrator and pods of its queue and data store there are."""
    pods = [one for one in core.list_namespaced_pod("default").items if "producer" not in one.metadata.name]
    controllers = core.list_namespaced_replication_controller("default").items
    return {one.metadata.uid for one in (*pods, *controllers) if "processor" not in one.metadata.name}


@contextmanager
def cut_short(shell: Shell) -> Iterator[None]:
    """Let runs end after the host's files are in place and before its services start."""
    shell.root("mv /usr/bin/systemctl /usr/bin/systemctl.away")
    try:
        yield
    finally:
        shell.root("mv /usr/bin/systemctl.away /usr/bin/systemctl")


def test_a_check_of_an_unchanged_cluster_names_nothing() -> None:
    assert site("--check") == []


def test_a_check_names_what_a_setting_would_change_and_nothing_else(nodes: Sequence[Host]) -> None:
    found = run_site("--check", *PODS, "-e", "kube_master_metrics_resolution=20s")
    assert found.code == 0
    expected = {f"{node.name}: {FILES}" for node in nodes} | {"controller: kube-master : Apply Kubernetes objects"}
    assert set(found.changed) == expected


def test_a_changed_setting_restarts_what_reads_it_and_nothing_else(core: CoreApi, started: Started) -> None:
    wait_until_ready(core)
    before, kept = started(), identities(core)
    try:
        site("-e", "kube_master_audit_max_age_days=31")
        assert restarted(before, started()) == {"controller kube-apiserver"}
        assert identities(core) == kept
    finally:
        site("--tags", "kube-master")


def test_the_demonstrator_outlives_a_change_of_its_unit_its_program_and_its_rights(
    core: CoreApi, on: Callable[[str], Shell], started: Started
) -> None:
    """The contents of queue and data store go with their pods: only another manifest may recreate them."""
    wait_until_ready(core)
    before, kept = started(), identities(core)
    files = "/etc/systemd/system/inaetics.service /usr/local/sbin/inaetics /etc/systemd/system.conf.d/wording.conf"
    on("controller").root(f"for file in {files}; do echo '# by hand' >>$file; done")
    more = """'[{"op": "add", "path": "/rules/0/verbs/-", "value": "delete"}]'"""
    kubectl = "kubectl --kubeconfig=/etc/kubernetes/admin.kubeconfig"
    on("controller").root(f"{kubectl} patch role inaetics-agent --type=json --patch={more}")
    changed = site("--tags", "inaetics-app")
    assert "inaetics-app : Install files" in changed
    assert "inaetics-app : Apply Kubernetes objects" in changed
    assert restarted(before, started()) == set()
    assert identities(core) == kept
    assert site("--tags", "inaetics-app") == []


@pytest.mark.parametrize(
    ("start", "unit", "setting"),
    [
        ("etcd : Start etcd", "controller etcd", "etcd_auto_compaction_retention=6m"),
        ("kube-master : Start the control plane", "controller kube-apiserver", "kube_master_audit_max_backups=9"),
        ("kube-node : Start containerd and kubelet", "node-1 kubelet", PODS[1]),
    ],
)
def test_the_run_after_one_that_was_cut_short_restarts_what_it_still_had_to(
    core: CoreApi,
    on: Callable[[str], Shell],
    nodes: Sequence[Host],
    started: Started,
    start: str,
    unit: str,
    setting: str,
) -> None:
    host, name = unit.split()
    role = ("--tags", start.split(" : ", maxsplit=1)[0])
    before = started()
    try:
        with cut_short(on(host)):
            assert run_site(*role, "-e", setting).code == 7
        assert started()[unit] == before[unit]
        assert start in site(*role, "-e", setting)
        assert started()[unit] != before[unit]
        assert on(host).root(f"systemctl show --property=NeedDaemonReload --value {name}").strip() == "no"
        assert site("--check", *role, "-e", setting) == []
    finally:
        site(*role)
        recovered(core, nodes[0])


def test_a_service_that_runs_with_a_file_of_somebodys_is_restarted_with_its_own(
    on: Callable[[str], Shell], started: Started
) -> None:
    """The next run restores the file and is cut short; the one after it must still know."""
    on("node-1").root("cd /etc/systemd/system && echo '# by hand' >>flanneld.service && systemctl daemon-reload")
    on("node-1").root("systemctl restart flanneld")
    before = started()
    with cut_short(on("node-1")):
        assert run_site("--tags", "flannel").code == 7
    assert run_site("--check", "--tags", "flannel").changed == ["node-1: flannel : Start flanneld"]
    assert run_site("--tags", "flannel").changed == ["node-1: flannel : Start flanneld"]
    assert restarted(before, started()) == {"node-1 flanneld"}


def test_a_reboot_hides_no_recreation_that_is_due(core: CoreApi, nodes: Sequence[Host]) -> None:
    """The demonstrator outlives a boot of the controller; so must what is known of its manifest."""
    role, task = ("--tags", "inaetics-app"), "inaetics-app : Install files"
    setting = (*role, "-e", "inaetics_app_liveness_seconds=25")
    try:
        assert run_site(*setting, interrupted_after=task).code == 130
        run("vagrant", "halt", "controller")
        run("vagrant", "up", "controller")
        wait_until(
            lambda: core.list_node().items,
            "the API answers again",
            seconds=BACK,
            tolerating=(OSError, HTTPError, ApiException),
        )
        assert site("--check", *setting) == ["inaetics-app : Start the demonstrator"]
        assert "inaetics-app : Start the demonstrator" in site(*setting)
    finally:
        site(*role)
        recovered(core, nodes[0])


def test_certificates_that_their_programs_reload_restart_nothing(
    core: CoreApi, on: Callable[[str], Shell], nodes: Sequence[Host], started: Started
) -> None:
    node, certs = nodes[0], State().pki / "certs"
    for name in (
        f"kubelet-server-{node.name}",
        f"kubelet-{node.name}",
        f"kube-proxy-{node.name}",
        "etcd",
        "kube-apiserver",
    ):
        (certs / f"{name}.crt").unlink()
    before = started()
    assert "kube-node : Install files" in site()
    assert restarted(before, started()) == set()

    issued = x509.load_pem_x509_certificate((certs / f"kubelet-server-{node.name}.crt").read_bytes())
    ask = f"openssl s_client -connect {node.address}:10250 </dev/null 2>/dev/null | openssl x509 -noout -serial"
    serial = f"serial={issued.serial_number:X}"
    wait_until(
        lambda: on("controller").root(ask).strip().replace("serial=0", "serial="),
        "the kubelet serves its new certificate",
        lambda seen: seen == serial,
        seconds=90,
    )
    recovered(core, node)


def test_etcds_users_and_permissions_are_those_declared_again(on: Callable[[str], Shell]) -> None:
    controller = on("controller")
    etcdctl = (
        "/opt/cluster/bin/etcdctl --endpoints=https://127.0.0.1:2379 --cacert=/etc/etcd/ca.crt"
        " --cert=/etc/etcd/root.crt --key=/etc/etcd/root.key"
    )
    lists = f"{etcdctl} user list; {etcdctl} role list; {etcdctl} user get flannel"
    roles = f"{lists}; for role in flannel kube-apiserver; do {etcdctl} role get $role; done"
    before = controller.root(roles)
    for command in (
        "user add stranger --no-password",
        "role add everything",
        "role grant-permission everything --prefix=true readwrite /",
        "user grant-role stranger everything",
        "role grant-permission flannel read /registry/secrets",
        "role revoke-permission kube-apiserver compact_rev_key",
        "user revoke-role flannel flannel",
    ):
        controller.root(f"{etcdctl} {command}")
    assert run_site("--check", "--tags", "etcd").changed == [
        "controller: etcd : Read etcd users, roles and permissions"
    ]
    site("--tags", "etcd")
    assert controller.root(roles) == before
    assert site("--tags", "etcd") == []


def test_objects_that_the_templates_no_longer_have_are_deleted(core: CoreApi) -> None:
    def config_map(name: str, labels: dict[str, str]) -> dict[str, Any]:
        return {"metadata": {"name": name, "labels": labels}}

    ours = {"inaetics.org/applied-by": "kube-master-addons"}
    # kubectl prunes what it has applied itself: it knows by this annotation.
    former = config_map("of-a-former-version", ours)
    former["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": "{}"}
    core.create_namespaced_config_map("kube-system", former)
    core.create_namespaced_config_map("kube-system", config_map("of-somebody-else", {}))
    try:
        assert site("--tags", "kube-master") == ["kube-master : Apply Kubernetes objects"]
        with pytest.raises(ApiException) as gone:
            core.read_namespaced_config_map("of-a-former-version", "kube-system")
        assert gone.value.status == 404
    finally:
        core.delete_namespaced_config_map("of-somebody-else", "kube-system")


def test_a_service_that_does_not_answer_fails_its_role_and_is_named(on: Callable[[str], Shell]) -> None:
    """It would die every second, and `systemctl start` say nothing of it."""
    controller, override = on("controller"), "/run/systemd/system/kube-scheduler.service.d"
    scheduler = "/opt/cluster/bin/kube-scheduler"
    controller.root(
        f"mkdir -p {override} && printf '[Service]\\nExecStart=\\nExecStart={scheduler} --no-such-flag\\n'"
        f" >{override}/tests.conf"
        " && systemctl daemon-reload && systemctl restart kube-scheduler || true"
    )
    try:
        failed = run_site("--tags", "kube-master")
        assert failed.code == 7, failed.errors
        assert "The journal of kube-scheduler.service on controller says why:" in failed.errors
        assert "unknown flag: --no-such-flag" in failed.errors
        assert len(failed.errors.splitlines()) < 20, "the cause, not pages of usage"
    finally:
        controller.root(f"rm -r {override} && systemctl daemon-reload && systemctl restart kube-scheduler")
    assert site("--tags", "kube-master") == []
