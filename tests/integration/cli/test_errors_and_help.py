"""Every kind of error has its exit code and its words; every command teaches how it is used."""

import errno
import re

import pytest
import typer
from typer.testing import CliRunner

from runner import errors
from runner.application import ErrorHandlingGroup
from runner.cli import app
from runner.state import CHECKOUT

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.RunnerError)]
COMMANDS = ["site", "doctor", "prepare", "status", "verify", "ssh", "kubectl", "timeline", "destroy"]


def raising(error: BaseException) -> typer.Typer:
    failing = typer.Typer(cls=ErrorHandlingGroup, pretty_exceptions_enable=False)

    @failing.callback()
    def group() -> None:
        """A command line with one command."""

    @failing.command()
    def fail() -> None:
        raise error

    return failing


@pytest.mark.parametrize("kind", KINDS)
def test_error_becomes_message_remedy_details_and_its_exit_code(kind: type[errors.RunnerError]) -> None:
    done = CliRunner().invoke(raising(kind("It broke.", "Mend it.", "this was seen")), ["fail"])
    assert done.exit_code == kind.exit_code
    assert done.stderr.splitlines() == ["It broke.", "    this was seen", "To do: Mend it."]
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("error", "said", "to_do"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "/x/.cluster/lock"), "/x/.cluster/lock", "sudo chown -R"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device.", "Free space"),
        (OSError(errno.EROFS, "Read-only file system", "/x"), "Read-only file system: /x.", "Check"),
    ],
    ids=["of root", "full disk", "read-only"],
)
def test_a_file_that_cannot_be_used_is_a_sentence(error: OSError, said: str, to_do: str) -> None:
    done = CliRunner().invoke(raising(error), ["fail"])
    assert done.exit_code == errors.ExitCode.MACHINE
    assert said in done.stderr.splitlines()[0]
    assert to_do in done.stderr.splitlines()[1]


def test_interrupt_is_130_and_one_line() -> None:
    done = CliRunner().invoke(raising(KeyboardInterrupt()), ["fail"])
    assert done.exit_code == errors.ExitCode.INTERRUPTED
    assert len(done.stderr.splitlines()) == 1


def test_defect_keeps_its_traceback() -> None:
    done = CliRunner().invoke(raising(ZeroDivisionError()), ["fail"])
    assert done.exit_code == errors.ExitCode.DEFECT
    assert isinstance(done.exception, ZeroDivisionError)


def test_help_names_every_command_and_exit_code() -> None:
    shown = CliRunner().invoke(app, ["--help"]).stdout
    for command in COMMANDS:
        assert re.search(rf"^  {command} ", shown, re.MULTILINE)
    for code in errors.ExitCode:
        assert re.search(rf"^ +{code.value}  \w", shown, re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_command_has_an_example_of_its_own(command: str) -> None:
    shown = CliRunner().invoke(app, [command, "--help"]).stdout
    assert re.search(rf"^ *python -m runner {command}", shown, re.MULTILINE)


def test_the_version_names_the_commit_of_a_checkout() -> None:
    done = CliRunner().invoke(app, ["--version"])
    assert done.exit_code == 0
    commit = r" \([0-9a-f]{7,}(-dirty)?\)" if (CHECKOUT / ".git").exists() else ""
    assert re.fullmatch(rf"inaetics-demo-cluster \d+\.\d+\.\d+{commit}\n", done.stdout)
