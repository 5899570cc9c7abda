"""Why: people use Vagrant and Docker by hand too, and hosts are switched off, killed and left behind.

The tests tell one story, in this order; hosts are made once.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner import doctor
from runner.events import Note, Progress
from runner.machines.containers import Docker
from tests.machines.checkout import NETWORK, Checkout

SOMETHING_GOES = """#!/bin/sh
{docker} "$@" || exit
[ "$*" != "ps -a -q --no-trunc" ] || echo 0123456789abcdef
"""
ADDRESSES = {"controller": f"{NETWORK}.20", "node-1": f"{NETWORK}.31"}
STALE = "hosts of other checkouts"


@pytest.fixture(scope="module", name="checkout")
def fixture_checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    checkout = Checkout.make(tmp_path_factory.mktemp("first") / "checkout")
    yield checkout
    checkout.destroy()


@pytest.fixture(scope="module", name="rival")
def fixture_rival(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    rival = Checkout.make(tmp_path_factory.mktemp("second") / "checkout")
    yield rival
    rival.destroy()


def docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True).stdout.strip()


def addresses(checkout: Checkout) -> dict[str, str]:
    """Each host's second address, as the host itself sees it."""
    shown = {name: checkout.on(name, "ip -4 -json address show dev eth1") for name in ADDRESSES}
    return {name: json.loads(text)[0]["addr_info"][0]["local"] for name, text in shown.items()}


def test_vagrant_up_by_hand_makes_every_host(checkout: Checkout, tmp_path: Path) -> None:
    """Also while another program removes a container, which Vagrant has seen."""
    (tmp_path / "docker").write_text(SOMETHING_GOES.format(docker=shutil.which("docker")), "utf-8")
    (tmp_path / "docker").chmod(0o755)
    output = checkout.run("vagrant", "up", PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert "==> node-1: Machine booted and ready!" in output
    assert checkout.status() == dict.fromkeys(ADDRESSES, "running")
    assert addresses(checkout) == ADDRESSES


def test_the_inventory_script_contacts_no_host(checkout: Checkout) -> None:
    known_hosts = checkout.directory / ".cluster" / "ssh" / "known_hosts"
    known_hosts.unlink()
    assert json.loads(checkout.run("inventory/vagrant.py", "--list"))["_meta"]["hostvars"]["node-1"]["ansible_port"]
    assert not known_hosts.exists()


def test_hosts_are_whole_systems_with_their_own_names(checkout: Checkout) -> None:
    for name in ADDRESSES:
        assert checkout.on(name, "hostname; systemctl is-system-running --wait").split() == [name, "running"]


def test_vagrant_ssh_reaches_user_core(checkout: Checkout) -> None:
    assert checkout.run("vagrant", "ssh", "controller", "-c", "whoami").strip() == "core"


def test_hosts_are_not_privileged(checkout: Checkout) -> None:
    for container in checkout.containers().values():
        assert docker("inspect", "--format", "{{.HostConfig.Privileged}}", container.id) == "false"


def test_the_key_is_the_users_alone(checkout: Checkout) -> None:
    ssh = checkout.directory / ".cluster" / "ssh"
    assert (ssh.stat().st_mode & 0o777, (ssh / "id_ed25519").stat().st_mode & 0o777) == (0o700, 0o600)


def test_the_runner_leaves_hosts_that_run_alone(checkout: Checkout) -> None:
    before = checkout.containers()
    events = checkout.up()
    assert checkout.containers() == before
    assert {event.item for event in events if isinstance(event, Progress)} == set(ADDRESSES)


def test_ansible_reaches_the_hosts_through_the_inventory_script(checkout: Checkout) -> None:
    graph = checkout.run("ansible-inventory", "--graph")
    assert all(name in graph for name in ADDRESSES)
    assert checkout.run("ansible", "all", "-m", "ansible.builtin.ping").count('"ping": "pong"') == len(ADDRESSES)


def test_the_inventory_script_tells_of_one_host(checkout: Checkout) -> None:
    variables = json.loads(checkout.run("inventory/vagrant.py", "--host", "node-1"))
    assert variables["cluster_address"] == ADDRESSES["node-1"]
    unknown = subprocess.run(
        ["inventory/vagrant.py", "--host", "node-9"],
        cwd=checkout.directory,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (unknown.returncode, unknown.stdout) == (6, "")
    assert "node-9 is not a declared host" in unknown.stderr


def test_a_killed_host_comes_back_as_it_was(checkout: Checkout) -> None:
    before = checkout.on("node-1", "cat /etc/ssh/ssh_host_ed25519_key.pub")
    container = checkout.containers()["node-1"]
    docker("kill", container.id)
    assert checkout.status()["node-1"] == "stopped"
    docker("start", container.id)
    checkout.up()
    assert addresses(checkout) == ADDRESSES
    assert checkout.on("node-1", "cat /etc/ssh/ssh_host_ed25519_key.pub") == before


def test_halted_hosts_come_back_as_they_were(checkout: Checkout) -> None:
    made = {name: one.id for name, one in checkout.containers().items()}
    checkout.run("vagrant", "halt")
    assert checkout.status() == dict.fromkeys(ADDRESSES, "stopped")
    checkout.up()
    assert {name: one.id for name, one in checkout.containers().items()} == made
    assert addresses(checkout) == ADDRESSES


def test_a_paused_host_goes_on(checkout: Checkout) -> None:
    """Vagrant takes it for one that runs, and its ssh says nothing."""
    docker("pause", checkout.containers()["node-1"].id)
    assert checkout.status() == {"controller": "running", "node-1": "paused"}
    events = checkout.up()
    assert [event.message for event in events if isinstance(event, Note)] == ["node-1 was paused and goes on"]
    assert checkout.status()["node-1"] == "running"


def test_a_host_without_its_network_gets_it_again(checkout: Checkout) -> None:
    docker("network", "disconnect", f"vagrant_network_{NETWORK}.0/24", checkout.containers()["node-1"].id)
    checkout.up()
    assert addresses(checkout) == ADDRESSES


def test_hosts_of_another_checkout_are_stopped_and_come_back(checkout: Checkout, rival: Checkout) -> None:
    found = {finding.check: finding for finding in doctor.examine(rival.declared, checkout=rival.directory)}
    assert str(checkout.directory) in found[STALE].observed
    docker("pause", checkout.containers()["controller"].id)  # it holds its address all the same
    events: list[object] = []
    fixed = doctor.fix(rival.declared, events.append, checkout=rival.directory)
    assert {finding.check: finding.severity for finding in fixed}[STALE] == "ok"
    assert any(
        f"stopped node-1 of {checkout.directory}" in event.message for event in events if isinstance(event, Note)
    )
    assert checkout.status() == dict.fromkeys(ADDRESSES, "stopped")

    rival.up()
    assert addresses(rival) == ADDRESSES
    rival.destroy()
    assert rival.containers() == {}

    checkout.up()
    assert addresses(checkout) == ADDRESSES


def test_hosts_that_vagrant_forgot_are_created_again(checkout: Checkout) -> None:
    for path in sorted((checkout.directory / ".vagrant").rglob("id")):
        path.unlink()
    before = {one.id for one in checkout.containers().values()}
    found = {finding.check: finding for finding in doctor.examine(checkout.declared, checkout=checkout.directory)}
    assert "2 are left over" in found[STALE].observed
    events = checkout.up()
    assert sum(isinstance(event, Note) for event in events) == len(ADDRESSES)
    assert before.isdisjoint(one.id for one in checkout.containers().values())
    assert addresses(checkout) == ADDRESSES


def test_a_copied_checkout_has_no_hosts_and_removes_none(checkout: Checkout, tmp_path: Path) -> None:
    """Vagrant's notes, which were copied as well, have the ids of the original's containers."""
    copy = Checkout(Path(shutil.copytree(checkout.directory, tmp_path / "copy", symlinks=True)))
    before = checkout.containers()
    assert copy.status() == dict.fromkeys(ADDRESSES, "not_created")
    copy.destroy()
    assert checkout.containers() == before
    checkout.run("vagrant", "halt", "node-1")  # Vagrant still knows them
    checkout.up()


UP = """
import pathlib, sys
from runner.declaration import model as declaration
from runner.machines import hosts
checkout = pathlib.Path(sys.argv[1])
declared = declaration.load(checkout / "inventory" / "cluster.yml")
hosts.up(declared, lambda event: print(event.doing, flush=True), checkout=checkout)
"""


@pytest.mark.parametrize("moment", ["Creating the container", "Enabling network interfaces", "Starting container"])
def test_an_interrupted_run_is_taken_up_by_the_next(checkout: Checkout, moment: str) -> None:
    checkout.destroy()
    run = subprocess.Popen(
        [sys.executable, "-c", UP, str(checkout.directory)],
        cwd=checkout.directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with run:
        assert run.stdout
        for line in run.stdout:
            if line.strip() == moment:
                os.killpg(run.pid, signal.SIGINT)  # as a terminal's Ctrl-C reaches the whole group
        assert run.stderr
        assert "KeyboardInterrupt" in run.stderr.read()
    checkout.up()
    assert addresses(checkout) == ADDRESSES


def test_removed_hosts_leave_nothing_behind(checkout: Checkout) -> None:
    volumes = [
        volume
        for one in checkout.containers().values()
        for volume in docker("inspect", "--format", "{{range .Mounts}}{{.Name}} {{end}}", one.id).split()
    ]
    assert len(volumes) == 2 * len(ADDRESSES)
    checkout.destroy()
    assert checkout.containers() == {}
    assert set(volumes).isdisjoint(docker("volume", "ls", "--quiet").split())
    with Docker() as engine:
        assert f"vagrant_network_{NETWORK}.0/24" not in {network.name for network in engine.networks()}
    assert not (checkout.directory / ".cluster" / "ssh" / "known_hosts").exists()
    assert checkout.status() == dict.fromkeys(ADDRESSES, "not_created")
    checkout.destroy()  # nothing to remove is no error


def test_hosts_whose_checkout_is_gone_are_stopped_and_come_back_with_it(
    checkout: Checkout, rival: Checkout, tmp_path: Path
) -> None:
    """The checkout may be on a disk that is not mounted at this moment."""
    rival.run("vagrant", "up", "controller")
    made = rival.containers()["controller"]
    moved = rival.directory.rename(tmp_path / "moved")
    try:
        found = {finding.check: finding for finding in doctor.examine(checkout.declared, checkout=checkout.directory)}
        assert "left over" in found[STALE].observed
        fixed = doctor.fix(checkout.declared, lambda _: None, checkout=checkout.directory)
        assert {finding.check: finding.severity for finding in fixed}[STALE] == "ok"
        checkout.up()  # its hosts have the same addresses
        assert addresses(checkout) == ADDRESSES
        checkout.destroy()
    finally:
        moved.rename(rival.directory)
    stopped = rival.containers()["controller"]
    assert (stopped.id, stopped.running) == (made.id, False)
    rival.run("vagrant", "up", "controller")
    assert rival.containers()["controller"].id == made.id
    assert rival.on("controller", "ip -4 -brief address show dev eth1").split()[2] == f"{ADDRESSES['controller']}/24"
