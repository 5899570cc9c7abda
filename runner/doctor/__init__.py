"""Checks of this machine: `examine` runs them, `fix` applies the safe remedies."""

from pathlib import Path

from runner.declaration import Declaration
from runner.doctor.checks import Finding, run_checks
from runner.doctor.remedies import undo
from runner.doctor.snapshot import collect
from runner.events import Note, Report
from runner.state import CHECKOUT, cache_directory

__all__ = ["Finding", "examine", "fix", "undo"]


def examine(declaration: Declaration, *, checkout: Path = CHECKOUT, cache: Path | None = None) -> list[Finding]:
    """Run every check on a snapshot of this machine; changes nothing."""
    return run_checks(collect(declaration, checkout, cache or cache_directory()), declaration)


def fix(declaration: Declaration, report: Report, *, checkout: Path = CHECKOUT) -> list[Finding]:
    """Apply the safe remedies one by one, report each, and return what is found after the last one."""
    tried: set[str] = set()
    while True:
        # Each time again: a remedy may have cured another check as well, or, once Docker runs, brought new ones.
        findings = examine(declaration, checkout=checkout)
        todo = [(one.check, one.fix) for one in findings if one.fix and one.check not in tried]
        if not todo:
            return findings
        check, apply = todo[0]
        tried.add(check)
        report(Note("doctor", apply()))
