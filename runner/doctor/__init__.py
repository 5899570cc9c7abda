"""Checks of this machine, each with its remedy: `examine` runs them, `fix` applies the safe remedies."""

from runner.doctor.examination import examine, fix
from runner.doctor.findings import Finding

__all__ = ["Finding", "examine", "fix"]
