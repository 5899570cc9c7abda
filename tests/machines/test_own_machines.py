"""The same roles raise the cluster on machines of one's own, which no release is mounted into.

Two hosts stand for such machines. They are Debian hosts that are reached by ssh, and the inventory is a file as
inventory/static.example.yml shows it; only that they are containers is said of them.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.machines.checkout import WHOLE, Checkout

NAMES = ("controller", "node-1")
# Names, what sudo, sshd and systemd are told.
OWNERS = "sudo cat /etc/hosts /etc/hostname /etc/sudoers.d/core; ls /etc/ssh/sshd_config.d /etc/systemd/*.conf.d"


@pytest.fixture(scope="module", name="checkout")
def fixture_checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    checkout = Checkout.make(tmp_path_factory.mktemp("own") / "checkout", WHOLE)
    checkout.up()
    yield checkout
    checkout.destroy()


@pytest.fixture(scope="module", name="inventory")
def fixture_inventory(checkout: Checkout) -> Path:
    found: dict[str, Any] = json.loads(checkout.run("inventory/vagrant.py", "--list"))
    described = {name: one | {"cluster_hosts_are_containers": True} for name, one in found["_meta"]["hostvars"].items()}
    groups = {
        name: {"hosts": {host: described[host] for host in found[name]["hosts"]}} for name in found["all"]["children"]
    }
    given = {name: value for name, value in found["all"]["vars"].items() if name != "cluster_provider"}
    static = {"all": {"vars": given | {"cluster_release_mounted": False}, "children": groups}}
    path = checkout.directory / "inventory" / "static.yml"
    path.write_text(yaml.safe_dump(static), encoding="utf-8")
    return path


@pytest.fixture(scope="module", name="owners")
def fixture_owners(checkout: Checkout) -> dict[str, str]:
    """The settings of machines whose owner has some, before the cluster comes."""
    for name in NAMES:
        checkout.on(name, "echo 192.0.2.7 printer | sudo tee --append /etc/hosts")
    return {name: checkout.on(name, OWNERS) for name in NAMES}


def test_a_check_of_bare_machines_names_all_and_changes_nothing(checkout: Checkout, inventory: Path) -> None:
    output = checkout.run(sys.executable, "-m", "runner", "site", "--check", "--json", "--inventory", str(inventory))
    finished = [event for event in map(json.loads, output.splitlines()) if event["event"] == "TaskFinished"]
    assert {event["status"] for event in finished} == {"ok", "changed", "skipped"}
    roles = {event["role"] for event in finished if event["status"] == "changed"}
    assert roles == {path.name for path in (checkout.directory / "roles").iterdir()} - {"common"}
    assert checkout.on("controller", "ls -d /opt/cluster/bin /etc/etcd /etc/kubernetes 2>/dev/null || true") == ""


def test_the_roles_raise_the_cluster_there(checkout: Checkout, inventory: Path, owners: dict[str, str]) -> None:
    output = checkout.run(sys.executable, "-m", "runner", "site", "--inventory", str(inventory))
    assert "http://172.31.254.20/" in output


def test_the_owners_settings_are_as_they_were(checkout: Checkout, owners: dict[str, str]) -> None:
    assert {name: checkout.on(name, OWNERS) for name in NAMES} == owners
    assert "NOPASSWD" not in checkout.on("node-1", "sudo cat /etc/sudoers.d/cluster")


def test_each_machine_got_the_programs_of_its_group_and_no_more(checkout: Checkout, inventory: Path) -> None:
    assert checkout.on("controller", "test -L /opt/cluster/bin || ls /opt/cluster/bin").split() == [
        "etcd",
        "etcdctl",
        "etcdutl",
        "flanneld",
        "kube-apiserver",
        "kube-controller-manager",
        "kube-proxy",
        "kube-scheduler",
        "kubectl",
        "registry",
    ]
    assert "kubelet" in checkout.on("node-1", "ls /opt/cluster/bin").split()


@pytest.mark.parametrize("options", [["--check"], []], ids=["check", "run"])
def test_a_second_run_changes_nothing_there(checkout: Checkout, inventory: Path, options: list[str]) -> None:
    command = [sys.executable, "-m", "runner", "site", "--json", *options, "--inventory", str(inventory)]
    output = checkout.run(*command)
    statuses = {event["status"] for event in map(json.loads, output.splitlines()) if event["event"] == "TaskFinished"}
    assert statuses == {"ok", "skipped"}
