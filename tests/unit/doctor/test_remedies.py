"""The remedies, with stand-ins for the programs that change this machine and for Docker."""

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from runner import doctor
from runner.declaration import Declaration
from runner.doctor import checks, remedies
from runner.doctor.snapshot import KUBELET, Snapshot
from runner.events import Event, Note
from tests.support.machines import (
    CHECKOUT,
    DEFAULT_BRIDGE,
    MACHINE,
    declared,
    host,
    network,
    problem,
    with_docker,
    with_kernel,
    without_docker,
    without_modules,
)

PROGRAMS = ("sysctl", "modprobe")


@pytest.fixture(name="machine")
def fixture_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory in the place of /etc; programs that need root write down how they were called."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in PROGRAMS:
        (programs / name).write_text(f'#!/bin/sh\necho "{name} $*" >>{tmp_path}/calls\n[ $# -gt 1 ]\n')
    (programs / "sudo").write_text('#!/bin/sh\n[ "$1" != -n ] || shift\nexec "$@"\n')
    for path in programs.iterdir():
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(remedies, "SYSCTL", tmp_path / "sysctl.d" / "90.conf")
    monkeypatch.setattr(remedies, "MODULES_LOAD", tmp_path / "modules-load.d" / "ours.conf")
    return tmp_path


def fix(observed: Snapshot) -> str:
    """Apply the remedy of the only problem."""
    apply = problem(observed).fix
    assert apply
    return apply()


def test_two_fixes_in_a_row_keep_all_settings_for_the_next_start(machine: Path) -> None:
    fix(with_kernel(**{"fs.inotify.max_user_instances": 128}))
    assert "\nfs.inotify.max_user_watches=524288\n" in remedies.SYSCTL.read_text()  # not lowered
    fix(with_kernel(**{"fs.inotify.max_user_instances": 512, "fs.inotify.max_user_watches": 8192, "kernel.panic": 0}))
    settings = [line for line in remedies.SYSCTL.read_text().splitlines() if not line.startswith("#")]
    expected = KUBELET | {"fs.inotify.max_user_instances": 512, "fs.inotify.max_user_watches": 65536}
    assert sorted(settings) == sorted(f"{name}={value}" for name, value in expected.items())
    assert (machine / "calls").read_text().splitlines() == [f"sysctl -q -p {remedies.SYSCTL}"] * 2


def test_a_fix_names_what_it_sets_and_what_that_was(machine: Path) -> None:
    assert fix(with_kernel(**{"vm.overcommit_memory": 0})).startswith("set vm.overcommit_memory=1 (it was 0) (")


def test_undone_are_all_fixes_of_the_kernel_to_what_was_before_the_first(machine: Path) -> None:
    fix(with_kernel(**{"kernel.panic": 0, "vm.overcommit_memory": 2}))
    fix(with_kernel(**{"kernel.panic": 5}))
    fix(without_modules("vxlan"))
    (machine / "calls").unlink()
    undone = doctor.undo()
    assert "kernel.panic=0" in undone[0]
    assert "vm.overcommit_memory=2" in undone[0]
    (call,) = (machine / "calls").read_text().splitlines()
    assert call.startswith("sysctl -q -w ")
    assert "kernel.panic=0" in call
    assert not remedies.SYSCTL.exists()
    assert not remedies.MODULES_LOAD.exists()
    assert doctor.undo() == []


def test_two_fixes_in_a_row_keep_all_modules_for_the_next_start(machine: Path) -> None:
    fix(without_modules("br_netfilter", "vxlan"))
    fix(without_modules("overlay"))
    assert remedies.MODULES_LOAD.read_text().split() == ["br_netfilter", "overlay", "vxlan"]
    assert (machine / "calls").read_text().splitlines() == ["modprobe -a br_netfilter vxlan", "modprobe -a overlay"]


@pytest.fixture(name="requests")
def fixture_requests(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A Docker that agrees to everything; gives the changes that it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b'{"ApiVersion": "1.41"}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            asked.append(f"{self.command} {self.path.partition('?')[0].partition('/containers')[2]}")
            self.send_response(204)
            self.end_headers()

        do_DELETE = do_POST  # noqa: N815 - the name that http.server calls

        def log_message(self, *_: object) -> None:
            """The output is for pytest."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    yield asked
    server.shutdown()
    thread.join()
    server.server_close()


def test_hosts_in_the_way_are_stopped_and_none_is_removed(requests: list[str]) -> None:
    rival, lost, forgotten = host(id="rival"), host(id="lost"), host(id="forgotten", checkout=CHECKOUT)
    stopped = host(id="stopped", running=False)
    observed = with_docker(
        containers=(rival, lost, forgotten, stopped), orphans=frozenset({"lost", "forgotten", "stopped"})
    )
    text = fix(observed)
    assert sorted(requests) == ["POST /forgotten/stop", "POST /lost/stop", "POST /rival/stop"]
    assert f"stopped controller of {rival.checkout}" in text


@pytest.fixture(name="simulate")
def fixture_simulate(monkeypatch: pytest.MonkeyPatch) -> Callable[[Snapshot, dict[str, Snapshot]], list[str]]:
    """Let `fix` work on a machine that each remedy turns into another one; gives the remedies in their order."""

    def simulate(first: Snapshot, after: dict[str, Snapshot]) -> list[str]:
        machine = [first]
        applied: list[str] = []

        def remedy(check: str) -> Callable[[], str]:
            def apply() -> str:
                applied.append(check)
                machine.append(after[check])
                return f"fixed {check}"

            return apply

        def run_checks(observed: Snapshot, declaration: Declaration) -> list[doctor.Finding]:
            found = checks.run_checks(observed, declaration)
            return [replace(finding, fix=finding.fix and remedy(finding.check)) for finding in found]

        monkeypatch.setattr(doctor, "collect", lambda *_: machine[-1])
        monkeypatch.setattr(doctor, "run_checks", run_checks)
        return applied

    return simulate


Simulate = Callable[[Snapshot, dict[str, Snapshot]], list[str]]


def test_a_machine_that_passes_is_not_changed(simulate: Simulate) -> None:
    applied, events = simulate(MACHINE, {}), list[Event]()
    assert {finding.severity for finding in doctor.fix(declared(), events.append)} == {"ok"}
    assert (applied, events) == ([], [])


def test_what_another_remedy_cured_already_is_not_fixed_again(simulate: Simulate) -> None:
    """Docker loads kernel modules when it starts; `modprobe` without a module fails."""
    stopped = without_modules("overlay", "br_netfilter", observed=without_docker())
    applied, events = simulate(stopped, {"Docker": MACHINE}), list[Event]()
    assert {finding.severity for finding in doctor.fix(declared(), events.append)} == {"ok"}
    assert applied == ["Docker"]
    assert events == [Note("doctor", "fixed Docker")]


def test_what_is_found_once_docker_runs_is_fixed_as_well(simulate: Simulate) -> None:
    overlapping = with_docker(networks=(network("bridge", "172.17.0.0/16"),), containers=(host(),))
    moved = with_docker(networks=(DEFAULT_BRIDGE,), containers=(host(),))
    applied = simulate(
        without_docker(),
        {"Docker": overlapping, "Docker's networks": moved, "hosts of other checkouts": MACHINE},
    )
    assert {finding.severity for finding in doctor.fix(declared(), lambda _: None)} == {"ok"}
    assert applied == ["Docker", "Docker's networks", "hosts of other checkouts"]


def test_a_remedy_that_does_not_help_is_applied_once(simulate: Simulate) -> None:
    lacking = replace(MACHINE, vagrant=None)
    applied = simulate(lacking, {"Vagrant": lacking})
    findings = {finding.check: finding for finding in doctor.fix(declared(), lambda _: None)}
    assert findings["Vagrant"].severity == "failure"
    assert applied == ["Vagrant"]
