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

from runner.state import cache_directory
from tests.machines.checkout import WHOLE, Checkout
from tests.support import hostile


@pytest.fixture(scope="module", name="checkout")
def fixture_checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    # Blanks, and what has a meaning for ssh, shells, Ansible's templates and formats
    checkout = Checkout.make(tmp_path_factory.mktemp("own") / "it's 100% “über” #1", WHOLE)
    checkout.up()
    yield checkout
    checkout.destroy()


@pytest.fixture(scope="module", name="inventory")
def fixture_inventory(checkout: Checkout) -> Path:
    found: dict[str, Any] = json.loads(checkout.run("inventory/vagrant.py", "--list"))
    described = found["_meta"]["hostvars"]
    groups = {
        name: {"hosts": {host: described[host] for host in found[name]["hosts"]}} for name in found["all"]["children"]
    }
    static = {"all": {"vars": found["all"]["vars"] | {"cluster_release_mounted": False}, "children": groups}}
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
def test_a_second_run_changes_nothing_there(
    checkout: Checkout, inventory: Path, tmp_path: Path, options: list[str]
) -> None:
    """Nor does all that a person may have exported and configured."""
    command = [sys.executable, "-m", "runner", "site", "--json", *options, "--inventory", str(inventory)]
    # What is prepared is there.
    variables = hostile.environment(tmp_path) | {"XDG_CACHE_HOME": str(cache_directory().parent)}
    output = checkout.run(*command, **variables)
    statuses = {event["status"] for event in map(json.loads, output.splitlines()) if event["event"] == "TaskFinished"}
    assert statuses == {"ok", "skipped"}
