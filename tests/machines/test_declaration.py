"""A declaration that changes, and a cluster that somebody changed: `site` brings it about or says why it does not.

The tests tell one story, in this order, of a small cluster beside whatever cluster runs.
"""

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.declaration.model import Host
from runner.state import cache_directory
from tests.machines.checkout import WHOLE, Checkout

PREPARED = {"XDG_CACHE_HOME": str(cache_directory().parent)}


@pytest.fixture(scope="module", name="checkout")
def fixture_checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    checkout = Checkout.make(tmp_path_factory.mktemp("declared") / "checkout", WHOLE)
    edit(checkout, "count: 1", "count: 2")
    yield checkout
    checkout.destroy()


def edit(checkout: Checkout, old: str, new: str) -> None:
    path = checkout.directory / "inventory" / "cluster.yml"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def runner(checkout: Checkout, *command: str) -> str:
    return checkout.run(sys.executable, "-m", "runner", *command, **PREPARED)


def site(checkout: Checkout) -> list[str]:
    """Return the tasks that changed something."""
    events = map(json.loads, runner(checkout, "site", "--json").splitlines())
    done = [event for event in events if event["event"] == "TaskFinished" and event["status"] == "changed"]
    return [f"{event['host']}: {event['role']} : {event['task']}" for event in done]


def refused(checkout: Checkout, code: int) -> str:
    """Return what a run says that ends with this code; the hosts are as before, and no step has begun."""
    before = checkout.containers()
    command = [sys.executable, "-m", "runner", "site"]
    done = subprocess.run(command, cwd=checkout.directory, capture_output=True, text=True, check=False)
    assert (done.returncode, checkout.containers()) == (code, before), done.stderr
    assert not re.search(r"^(doctor|prepare|hosts|roles)\b", done.stdout, re.MULTILINE)
    return done.stderr


def differences(checkout: Checkout) -> list[str]:
    """Return what `status` tells, also where it ends with an error since the API does not answer."""
    command = [sys.executable, "-m", "runner", "status", "--json"]
    done = subprocess.run(command, cwd=checkout.directory, capture_output=True, text=True, check=False)
    return [one["seen"] for one in json.loads(done.stdout)["differences"]]


def nodes(checkout: Checkout) -> list[Host]:
    return [host for host in checkout.declared.hosts if host.group == "workers"]


def as_declared(checkout: Checkout) -> None:
    """Every node is registered, no other is, and a run has nothing to do."""
    listed = runner(checkout, "kubectl", "--", "get", "nodes", "--output=name").split()
    assert sorted(listed) == [f"node/{node.address}" for node in nodes(checkout)]
    assert site(checkout) == []
    assert differences(checkout) == []


def test_the_declared_cluster_is_raised(checkout: Checkout) -> None:
    site(checkout)
    as_declared(checkout)


def test_another_pod_network_is_refused(checkout: Checkout) -> None:
    edit(checkout, "10.1.0.0/16", "10.9.0.0/16")
    assert "pod_network 10.1.0.0/16, not 10.9.0.0/16" in refused(checkout, 3)
    assert any("pod_network" in one for one in differences(checkout))
    edit(checkout, "10.9.0.0/16", "10.1.0.0/16")


def test_fewer_nodes_are_refused_and_the_way_that_is_told_leads_there(checkout: Checkout) -> None:
    edit(checkout, "count: 2", "count: 1")
    told = refused(checkout, 3)
    edit(checkout, "count: 1", "count: 2")
    steps = [shlex.split(step) for step in re.findall("`((?:python|vagrant) .+?)`", told)]
    assert [step[0] for step in steps] == ["python", "vagrant", "python"]
    for step in steps:
        checkout.run(*step, **PREPARED)
    edit(checkout, "count: 2", "count: 1")
    site(checkout)
    as_declared(checkout)


def test_more_nodes_join(checkout: Checkout) -> None:
    edit(checkout, "count: 1", "count: 2")
    assert not [one for one in site(checkout) if one.startswith("node-1")]
    as_declared(checkout)


@pytest.mark.parametrize("name", ["node-2", "controller"])
def test_a_host_that_was_removed_by_hand_is_made_again(checkout: Checkout, name: str) -> None:
    """With the controller all that etcd knew is gone: nodes register again, and hosts take out leases again."""
    container = checkout.containers()[name]
    subprocess.run(["docker", "rm", "--force", "--volumes", container.id], capture_output=True, check=True)
    assert f"{name} is not created" in differences(checkout)
    site(checkout)
    as_declared(checkout)
    for host in checkout.declared.hosts:
        others = [one for one in checkout.declared.hosts if one != host]
        routes = checkout.on(host.name, "ip -4 route show dev flannel.1")
        assert [one.name for one in others if f"10.1.{str(one.address).rpartition('.')[2]}.0/24" not in routes] == []


def test_a_paused_host_goes_on(checkout: Checkout) -> None:
    subprocess.run(["docker", "pause", checkout.containers()["node-2"].id], capture_output=True, check=True)
    assert checkout.status()["node-2"] == "paused"
    site(checkout)
    assert checkout.status()["node-2"] == "running"


def test_without_its_key_nothing_is_done(checkout: Checkout, tmp_path: Path) -> None:
    state = checkout.directory / ".cluster"
    shutil.move(state, tmp_path / "kept")
    try:
        assert "The key to controller, node-1, node-2 was in" in refused(checkout, 6)
    finally:
        shutil.rmtree(state)
        shutil.move(tmp_path / "kept", state)
    as_declared(checkout)


def test_a_copy_of_the_checkout_leaves_the_hosts_alone(checkout: Checkout, tmp_path: Path) -> None:
    copy = Checkout(Path(shutil.copytree(checkout.directory, tmp_path / "copy", symlinks=True)))
    before = checkout.containers()
    runner(copy, "destroy")
    assert checkout.containers() == before
    assert copy.containers() == {}


def test_a_checkout_that_was_moved_does_nothing_elsewhere(checkout: Checkout, tmp_path: Path) -> None:
    moved = Checkout(checkout.directory.rename(tmp_path / "moved"))
    try:
        assert f"when it was in {checkout.directory}" in refused(moved, 6)
    finally:
        moved.directory.rename(checkout.directory)
    as_declared(checkout)


def test_destroy_forgets_what_was_applied(checkout: Checkout) -> None:
    runner(checkout, "destroy")
    assert not (checkout.directory / ".cluster" / "applied.json").exists()
    edit(checkout, "10.1.0.0/16", "10.9.0.0/16")
    assert not any("pod_network" in one for one in differences(checkout))
