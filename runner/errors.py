"""Errors, each with its exit code and its remedy; any other exception is a defect and keeps its traceback."""

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """The exit codes of `python -m runner`, each with its meaning; docs/reference.md lists the same."""

    meaning: str

    def __new__(cls, number: int, meaning: str) -> "ExitCode":  # noqa: D102, PYI034 - what it does is known; Python 3.10, which hands over to the environment's, has no Self
        code = int.__new__(cls, number)
        code._value_ = number
        code.meaning = meaning
        return code

    OK = 0, "done"
    DEFECT = 1, "a bug in this project: please report the traceback"
    USAGE = 2, "the command line is not valid"
    DECLARATION = 3, "inventory/cluster.yml, or the inventory, is not valid, or not what the cluster can become"
    MACHINE = 4, "this machine lacks something: see `doctor`"
    PREPARE = 5, "a binary or an image is not available"
    HOSTS = 6, "a host did not start or cannot be reached"
    ROLES = 7, "a role failed on a host"
    NOT_READY = 8, "the cluster does not work as it should"
    VERIFY = 9, "a host failed its tests"
    LOCKED = 10, "another run is active in this checkout"
    INTERRUPTED = 130, "interrupted (Ctrl-C)"


class RunnerError(Exception):
    """An error that a person can cause or cure: one sentence, what to do about it, and lines worth seeing below it."""

    exit_code: ClassVar[ExitCode] = ExitCode.DEFECT

    def __init__(self, message: str, remedy: str = "", details: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.details = details

    def __init_subclass__(cls, exit_code: ExitCode | None = None) -> None:
        cls.exit_code = exit_code or cls.exit_code


class DeclarationError(RunnerError, exit_code=ExitCode.DECLARATION):
    """inventory/cluster.yml or an inventory file is not valid."""


class MachineError(RunnerError, exit_code=ExitCode.MACHINE):
    """This machine lacks something that a run needs."""


class PrepareError(RunnerError, exit_code=ExitCode.PREPARE):
    """A binary or an image could not be downloaded, built or verified."""


class HostsError(RunnerError, exit_code=ExitCode.HOSTS):
    """Vagrant could not bring up, reach or remove a host."""


class RolesError(RunnerError, exit_code=ExitCode.ROLES):
    """An Ansible task failed."""


class NotReadyError(RunnerError, exit_code=ExitCode.NOT_READY):
    """The cluster is up but does not answer as it should."""


class VerifyError(RunnerError, exit_code=ExitCode.VERIFY):
    """A host is not as testinfra expects it."""


class LockedError(RunnerError, exit_code=ExitCode.LOCKED):
    """Another run is at work in this checkout."""
