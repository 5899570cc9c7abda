"""Role host tells what is wrong with an inventory or a machine, and what to do, before it changes anything."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from runner import environment
from runner.state import CHECKOUT

SOUND = {
    "system": "debian 12",
    "architecture": "x86_64",
    "init": "systemd",
    "controllers": ["cpu", "cpuset", "memory", "pids"],
    "addresses": ["192.0.2.9", "fe80::", "192.0.2.1"],
    "cpus": 2,
    "memory_mib": 1900,  # of the 2048 that a virtual machine was given
    "packaged": [],
    "releases": [],
    "packages": [],
}
# What preflight reads of a machine, and what it says. `worker-a` is one that is sound.
MACHINES: dict[str, tuple[dict[str, Any], str]] = {
    "worker-a": ({"system": "debian 13"}, ""),
    "old": ({"system": "debian 11"}, "It runs debian 11: install Debian 12 or 13 there."),
    "arm": ({"architecture": "aarch64"}, "It is of architecture aarch64: the programs are built for amd64"),
    "alpine": ({"init": "init"}, "Its first process is init, .*: boot it with systemd"),
    "raspberry": ({"controllers": ["cpu", "cpuset", "pids"]}, "no control groups for memory: boot it with"),
    "moved": ({"addresses": ["198.51.100.7"]}, "the addresses 198.51.100.7, and its cluster_address is 192.0.2.1"),
    "slow": ({"cpus": 1}, "It has 1 CPUs, and its cluster_cpus is 2: lower that"),
    "small": ({"memory_mib": 900}, "It has 900 MiB of memory, and its cluster_memory_mib is 2048: lower that"),
    "taken": ({"packaged": ["containerd.service"]}, "has brought containerd.service, .*: remove the package"),
    "emptied": ({}, r"It does not see release .*: restart it with `vagrant reload emptied`\."),
    "twice": ({"cpus": 1, "init": "init"}, "Its first process is init.*It has 1 CPUs"),
    "Upper_case": ({}, "Its name is no DNS label: rename it in the inventory"),
    "unknown": ({}, "It is in neither of the groups control_plane and workers: put it into one"),
    "uncertified": ({}, "has no certificates for it: run `python -m runner site`"),
}


def preflight(work: Path, inventory: dict[str, Any], *, seen: bool = True) -> dict[str, str]:
    """Return what role host says of each machine of an inventory that it refuses."""
    (work / "certs").mkdir()
    names = [
        *inventory["all"]["hosts"],
        *(name for one in inventory["all"]["children"].values() for name in one["hosts"]),
    ]
    for name in names:
        if name != "uncertified":
            (work / "certs" / f"flannel-{name}.crt").touch()
    inventory["all"]["children"].setdefault("etcd", {"children": {"control_plane": {}}})
    inventory["all"]["vars"] = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "ansible_become": False,
        "cluster_address": "192.0.2.1",
        "cluster_cpus": 2,
        "cluster_memory_mib": 2048,
        "cluster_state_dir": str(work),
        "cluster_release_dir": str(work),
        "cluster_release_id": "ff98a8204847",
        "cluster_release_mounted": False,
        "cluster_releases_dir": "/opt/cluster/releases",
    }
    role: dict[str, Any] = {"ansible.builtin.import_role": {"name": "host", "tasks_from": "preflight"}}
    role["vars"] = {"cluster_pki_dir": str(work)} | ({"__host_seen": "{{ seen }}"} if seen else {})
    (work / "hosts.yml").write_text(yaml.safe_dump(inventory), "utf-8")
    (work / "play.yml").write_text(yaml.safe_dump([{"hosts": "all", "gather_facts": False, "tasks": [role]}]), "utf-8")
    run = subprocess.run(
        ["ansible-playbook", "-i", str(work / "hosts.yml"), str(work / "play.yml")],
        cwd=CHECKOUT,
        env=environment.of_programs(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode in (0, 2), run.stdout + run.stderr
    refused = re.findall(r"^(?:fatal|\[ERROR\]): \[(.+?)\].*?=> (\{.*\})$", run.stdout, re.MULTILINE)
    return {name: json.loads(result)["msg"] for name, result in refused}


@pytest.fixture(scope="module", name="said")
def fixture_said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    hosts: dict[str, dict[str, Any]] = {name: {"seen": SOUND | seen} for name, (seen, _) in MACHINES.items()}
    hosts["emptied"]["cluster_release_mounted"] = True
    nodes = {name: one for name, one in hosts.items() if name != "unknown"}
    groups = {"control_plane": {"hosts": {"controller": {"seen": SOUND}}}, "workers": {"hosts": nodes}}
    inventory = {"all": {"hosts": {"unknown": hosts["unknown"]}, "children": groups}}
    return preflight(tmp_path_factory.mktemp("preflight"), inventory)


@pytest.mark.parametrize("name", MACHINES)
def test_what_is_wrong_with_a_machine_is_said_with_its_remedy(said: dict[str, str], name: str) -> None:
    expected = MACHINES[name][1]
    assert re.search(expected, said[name]) if expected else name not in said


def test_a_controller_that_is_sound_is_taken(said: dict[str, str]) -> None:
    assert "controller" not in said


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ({"control_plane": ["a"], "workers": []}, {"a": "Group workers has no host: put at least one into it"}),
        (
            {"control_plane": ["a", "b"], "workers": ["b"]},
            {"a": "Group control_plane has 2 hosts: put exactly one into it", "b": "It is in both groups"},
        ),
        (
            {"control_plane": ["a"], "workers": ["b"], "etcd": ["b"]},
            dict.fromkeys("ab", "Group etcd is not the host of group control_plane"),
        ),
    ],
)
def test_what_is_wrong_with_the_groups_is_said(
    tmp_path: Path, groups: dict[str, list[str]], expected: dict[str, str]
) -> None:
    children = {name: {"hosts": {host: {"seen": SOUND} for host in hosts}} for name, hosts in groups.items()}
    said = preflight(tmp_path, {"all": {"hosts": {}, "children": children}})
    assert said.keys() == expected.keys()
    assert all(text in said[name] for name, text in expected.items())


def test_this_machine_is_read_as_it_is(tmp_path: Path) -> None:
    """It has no address that is reserved for documents, nor as many CPUs as no machine has."""
    groups = {"control_plane": {"hosts": {"a": {}}}, "workers": {"hosts": {"b": {"cluster_cpus": 9999}}}}
    said = preflight(tmp_path, {"all": {"hosts": {}, "children": groups}}, seen=False)
    cpus = int(subprocess.run(["nproc"], capture_output=True, text=True, check=True).stdout)
    addresses = subprocess.run(["hostname", "--all-ip-addresses"], capture_output=True, text=True, check=True).stdout
    assert f"It has {cpus} CPUs, and its cluster_cpus is 9999" in said["b"]
    assert f"It has the addresses {', '.join(addresses.split())}, and its cluster_address is 192.0.2.1" in said["a"]
    assert "architecture" not in said["a"]
    assert "control groups" not in said["a"]
