"""The same roles raise the cluster on machines of one's own, which no release is mounted into.

Two hosts stand for such machines. They are Debian hosts that are reached by ssh, and the inventory is a file as
inventory/static.example.yml shows it; only that they have their packages already is said by the provider's name.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.machines.checkout import WHOLE, Checkout


@pytest.fixture(scope="module", name="checkout")
def fixture_checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    checkout = Checkout.make(tmp_path_factory.mktemp("own") / "checkout", WHOLE)
    checkout.up()
    yield checkout
    checkout.destroy()


@pytest.fixture(scope="module", name="inventory")
def fixture_inventory(checkout: Checkout) -> Path:
    found: dict[str, Any] = json.loads(checkout.run("inventory/vagrant.py", "--list"))
    described = found["_meta"]["hostvars"]
    groups = {
        name: {"hosts": {host: described[host] for host in found[name]["hosts"]}}
        for name in ("control_plane", "workers")
    }
    groups["etcd"] = {"children": {"control_plane": {}}}
    static = {"cluster": {"vars": found["cluster"]["vars"] | {"cluster_release_mounted": False}, "children": groups}}
    path = checkout.directory / "inventory" / "static.yml"
    path.write_text(yaml.safe_dump(static), encoding="utf-8")
    return path


def test_a_check_of_bare_machines_names_all_and_changes_nothing(checkout: Checkout, inventory: Path) -> None:
    output = checkout.run(sys.executable, "-m", "runner", "site", "--check", "--json", "--inventory", str(inventory))
    finished = [event for event in map(json.loads, output.splitlines()) if event["event"] == "TaskFinished"]
    assert {event["status"] for event in finished} == {"ok", "changed", "skipped"}
    roles = {event["role"] for event in finished if event["status"] == "changed"}
    assert roles == {path.name for path in (checkout.directory / "roles").iterdir()} - {"common"}
    assert checkout.on("controller", "ls -d /opt/cluster/bin /etc/etcd /etc/kubernetes 2>/dev/null || true") == ""


def test_the_roles_raise_the_cluster_there(checkout: Checkout, inventory: Path) -> None:
    output = checkout.run(sys.executable, "-m", "runner", "site", "--inventory", str(inventory))
    assert "http://172.31.254.20/" in output


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
