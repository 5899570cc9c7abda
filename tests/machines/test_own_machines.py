"""The same roles raise the cluster on machines of one's own, which no release is mounted into.

Two hosts stand for such machines. They are reached by ssh, and the inventory is a file as inventory/static.example.yml
shows it; only that they are containers is said beside it. They run Debian 13, where the hosts of all other tests run
Debian 12, and their owner has given them a name, settings and a service.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from runner.prepare.artifacts import Work
from runner.prepare.builds import root_filesystem
from runner.prepare.cache import Cache
from runner.prepare.catalogue import load
from runner.prepare.images import ImageInputs, build, docker_client
from runner.process import JobRunner
from runner.state import CHECKOUT, cache_directory
from tests.machines.checkout import WHOLE, Checkout

RUNNER = (sys.executable, "-m", "runner")
SITE = (*RUNNER, "site")
NAMES = ("controller", "node-1")
BRING_IN = """
sudo hostname owners && echo '127.0.1.1 owners\n192.0.2.7 printer' | sudo tee --append /etc/hosts
echo PasswordAuthentication yes | sudo tee /etc/ssh/sshd_config.d/00-owner.conf
sudo systemctl reload ssh
sudo systemd-run --unit=owners python3 -m http.server 9000
"""
OWNERS = "hostname; sudo cat /etc/hosts /etc/hostname /etc/sudoers.d/core; sudo sshd -T; ls /etc/systemd/*.conf.d"


def debian_13() -> str:
    """Return the tag of an image of Debian 13, which `prepare` would make with that suite in the catalogue."""
    catalogue = load(CHECKOUT / "artifacts" / "catalogue.yml")
    directory, work = (
        CHECKOUT / "artifacts" / "images" / "host",
        Work(Cache(cache_directory()), lambda _: None, JobRunner()),
    )
    root = catalogue.images["host"].rootfs
    assert root
    blobs = work.provide(root_filesystem(directory, root, "trixie", work))
    inputs = ImageInputs("host", directory, blobs, wheels={}, demonstrator={})
    with docker_client() as client:
        build(client, inputs, catalogue.debian.python, work)
    return inputs.tag


@pytest.fixture(scope="module", name="checkout")
def fixture_checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    checkout = Checkout.make(tmp_path_factory.mktemp("own") / "checkout", WHOLE)
    vagrantfile = checkout.directory / "Vagrantfile"
    text = vagrantfile.read_text(encoding="utf-8")
    vagrantfile.write_text(text.replace('docker.image = cluster["image"]', f'docker.image = "{debian_13()}"'), "utf-8")
    variables = checkout.directory / "group_vars" / "all" / "test.yml"
    variables.write_text("cluster_hosts_are_containers: true\n", encoding="utf-8")
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
    given = {name: value for name, value in found["all"]["vars"].items() if name != "cluster_provider"}
    static = {"all": {"vars": given | {"cluster_release_mounted": False}, "children": groups}}
    path = checkout.directory / "inventory" / "static.yml"
    path.write_text(yaml.safe_dump(static), encoding="utf-8")
    return path


@pytest.fixture(scope="module", name="owners")
def fixture_owners(checkout: Checkout) -> dict[str, str]:
    """The settings of machines whose owner has some, before the cluster comes."""
    for name in NAMES:
        checkout.on(name, BRING_IN)
    return {name: checkout.on(name, OWNERS) for name in NAMES}


def test_a_check_of_bare_machines_names_all_and_changes_nothing(checkout: Checkout, inventory: Path) -> None:
    output = checkout.run(*SITE, "--check", "--json", "--inventory", str(inventory))
    finished = [event for event in map(json.loads, output.splitlines()) if event["event"] == "TaskFinished"]
    assert {event["status"] for event in finished} == {"ok", "changed", "skipped"}
    roles = {event["role"] for event in finished if event["status"] == "changed"}
    assert roles == {path.name for path in (checkout.directory / "roles").iterdir()} - {"common"}
    assert checkout.on("controller", "ls -d /opt/cluster/bin /etc/etcd /etc/kubernetes 2>/dev/null || true") == ""


def test_the_roles_raise_the_cluster_there(checkout: Checkout, inventory: Path, owners: dict[str, str]) -> None:
    output = checkout.run(*SITE, "--inventory", str(inventory))
    assert "http://172.31.254.20/" in output


def test_the_owners_settings_are_as_they_were(checkout: Checkout, owners: dict[str, str]) -> None:
    assert {name: checkout.on(name, OWNERS) for name in NAMES} == owners
    assert "NOPASSWD" not in checkout.on("node-1", "sudo cat /etc/sudoers.d/cluster")


def test_what_is_the_owners_is_no_fault(checkout: Checkout, inventory: Path) -> None:
    output = checkout.run(*RUNNER, "verify", "--inventory", str(inventory))
    assert "failed" not in output


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
    output = checkout.run(*SITE, "--json", *options, "--inventory", str(inventory))
    statuses = {event["status"] for event in map(json.loads, output.splitlines()) if event["event"] == "TaskFinished"}
    assert statuses == {"ok", "skipped"}
