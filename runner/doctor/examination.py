"""The checks in their order, and the fixes.

A snapshot of the machine is collected (snapshot.py), each check is a function from it to a finding
(machine.py, networks.py, stale_hosts.py), and what can be fixed safely is (remedies.py).
"""

from collections.abc import Callable
from pathlib import Path

from runner.declaration import Declaration
from runner.doctor import machine, networks, stale_hosts
from runner.doctor.findings import Finding, Snapshot
from runner.doctor.remedies import REMEDIES
from runner.doctor.snapshot import collect
from runner.events import Note, Report
from runner.state import CHECKOUT, cache_directory

Check = Callable[[Snapshot, Declaration], Finding]

STEP = "doctor"

CHECKS: tuple[Check, ...] = (
    machine.docker_answers,
    machine.vagrant,
    machine.cpus,
    machine.memory,
    machine.disk,
    machine.ports_free,
    machine.cgroups,
    machine.inotify,
    machine.modules,
    networks.route_free,
    networks.virtualbox_range,
)
# These have nothing to look at while Docker does not answer.
CHECKS_OF_DOCKER: tuple[Check, ...] = (
    networks.docker_networks,
    networks.addresses_free,
    stale_hosts.stale_hosts,
    stale_hosts.undeclared_hosts,
)


def examine(declaration: Declaration, *, checkout: Path = CHECKOUT, cache: Path | None = None) -> list[Finding]:
    """Run every check on this machine; changes nothing."""
    return run_checks(collect(declaration, checkout, cache or cache_directory()), declaration)


def run_checks(observed: Snapshot, declaration: Declaration) -> list[Finding]:
    """Run every check on a snapshot, those of Docker only where it answers."""
    checks = CHECKS if isinstance(observed.docker, str) else CHECKS + CHECKS_OF_DOCKER
    return [check(observed, declaration) for check in checks]


def fix(
    declaration: Declaration, report: Report, *, checkout: Path = CHECKOUT, cache: Path | None = None
) -> list[Finding]:
    """Apply the safe remedies one by one, and report each.

    The machine is looked at again after each remedy: it may have cured another check as well, or, once
    Docker runs, brought new ones.

    Returns:
        The findings after the last remedy.

    Raises:
        MachineError: a remedy failed.
    """
    tried: set[str] = set()
    while True:
        observed = collect(declaration, checkout, cache or cache_directory())
        findings = run_checks(observed, declaration)
        todo = [one.check for one in findings if one.severity != "ok" and one.fixable and one.check not in tried]
        if not todo:
            return findings
        tried.add(todo[0])
        report(Note(STEP, REMEDIES[todo[0]](observed, declaration)))
