"""Errors, each with its exit code and its remedy.

Every error that a person can cause or cure is a RunnerError: the command line prints its
message and its remedy and leaves with its exit code. Anything else is a defect and keeps
its traceback.
"""

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """The exit codes of `python -m runner`; README.md lists the same."""

    OK = 0
    DEFECT = 1  # an unexpected exception: a bug in this project
    USAGE = 2  # the command line is not understood
    DECLARATION = 3  # inventory/cluster.yml (or the inventory) is not valid
    MACHINE = 4  # this machine lacks something: see `doctor`
    PREPARE = 5  # a binary or an image is not available
    HOSTS = 6  # a host cannot be brought up or reached
    ROLES = 7  # a role failed on a host
    NOT_READY = 8  # the roles are done but the cluster does not answer as it should
    VERIFY = 9  # testinfra found a host that is not as it should be
    LOCKED = 10  # another run is at work in this checkout
    INTERRUPTED = 130  # Ctrl-C


class RunnerError(Exception):
    """An error that a person can correct.

    Args:
        message: one sentence on what is wrong, with the names and values concerned.
        remedy: what to do about it; empty when the message says it already.
        details: lines worth seeing below the message (the end of a journal, say).
    """

    exit_code: ClassVar[ExitCode] = ExitCode.DEFECT

    def __init__(self, message: str, remedy: str = "", details: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.details = details


class DeclarationError(RunnerError):
    """inventory/cluster.yml or an inventory file is not valid."""

    exit_code = ExitCode.DECLARATION


class MachineError(RunnerError):
    """This machine lacks something that a run needs."""

    exit_code = ExitCode.MACHINE


class PrepareError(RunnerError):
    """A binary or an image could not be downloaded, built or verified."""

    exit_code = ExitCode.PREPARE


class HostsError(RunnerError):
    """Vagrant could not bring up, reach or remove a host."""

    exit_code = ExitCode.HOSTS


class RolesError(RunnerError):
    """An Ansible task failed."""

    exit_code = ExitCode.ROLES


class NotReadyError(RunnerError):
    """The cluster is up but does not answer as it should."""

    exit_code = ExitCode.NOT_READY


class VerifyError(RunnerError):
    """A host is not as testinfra expects it."""

    exit_code = ExitCode.VERIFY


class LockedError(RunnerError):
    """Another run is at work in this checkout."""

    exit_code = ExitCode.LOCKED
