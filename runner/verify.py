"""The tests of every host with testinfra."""

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from runner import process
from runner.errors import VerifyError
from runner.state import CHECKOUT

TESTS = "tests/hosts"


def verify(hosts: Sequence[str], inventory: Path) -> None:
    """Run tests/hosts on `hosts`, or on all if none is named; pytest writes to this process's output.

    Raises:
        VerifyError: a test failed, or none could run.
    """
    options = ["-c", f"{TESTS}/pytest.ini", "--rootdir=.", "-p", "testinfra.plugin", f"--ansible-inventory={inventory}"]
    command = [sys.executable, "-m", "pytest", *options, *pytest_filter(hosts), TESTS]
    try:
        process.run(command, cwd=CHECKOUT, capture=False)
    except process.CommandError as error:
        if error.code == pytest.ExitCode.TESTS_FAILED:
            raise VerifyError("A host failed its tests; see the lines above.") from None
        message = f"No host was tested: pytest ended with exit code {error.code}."
        raise VerifyError(message, "See the lines above for the reason.") from None


def pytest_filter(hosts: Sequence[str]) -> list[str]:
    """Return the arguments with which pytest selects the tests of these hosts, as testinfra names them."""
    selected = [f"//{host}{end}" for host in hosts for end in ("]", "-")]
    return ["-k", " or ".join(selected)] if selected else []
