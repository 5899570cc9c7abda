"""What this machine lacks, each with its remedy.

A snapshot of the machine is taken (snapshot.py), each check is a function from it to a finding
(machine.py, networks.py, leftovers.py), and what can be mended safely is (remedies.py).
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from runner.declaration.model import Declaration
from runner.doctor import leftovers, machine, networks
from runner.doctor.findings import Finding, Snapshot
from runner.doctor.remedies import REMEDIES
from runner.doctor.snapshot import take
from runner.events import Note, Report
from runner.state import CHECKOUT, cache_directory

__all__ = ["Finding", "examine", "judge", "mend"]

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
    leftovers.stale_hosts,
    leftovers.undeclared_hosts,
)


def examine(declaration: Declaration, *, checkout: Path = CHECKOUT, cache: Path | None = None) -> list[Finding]:
    """Look at this machine and check every precondition; changes nothing."""
    return judge(take(declaration, checkout, cache or cache_directory()), declaration)


def judge(seen: Snapshot, declaration: Declaration) -> list[Finding]:
    """Check every precondition on what was seen."""
    checks = CHECKS if isinstance(seen.docker, str) else CHECKS + CHECKS_OF_DOCKER
    return [check(seen, declaration) for check in checks]


def mend(
    declaration: Declaration,
    findings: Sequence[Finding],
    report: Report,
    *,
    checkout: Path = CHECKOUT,
    cache: Path | None = None,
) -> list[Finding]:
    """Apply the safe remedies of these findings, say what was done, and examine again.

    Raises:
        MachineError: when a remedy failed.
    """
    mendable = [finding for finding in findings if finding.grade != "ok" and finding.mendable]
    for finding in mendable:
        seen = take(declaration, checkout, cache or cache_directory())
        report(Note(STEP, REMEDIES[finding.check](seen, declaration)))
    return examine(declaration, checkout=checkout, cache=cache) if mendable else list(findings)
