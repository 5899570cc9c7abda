"""The tests of every host with testinfra."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from runner.ansible.play import ansible_environment
from runner.errors import VerifyError
from runner.state import CHECKOUT

TESTS = "tests/hosts"


def verify(hosts: Sequence[str], inventory: Path) -> None:
    """Run tests/hosts on `hosts`, or on all if none is named; pytest writes to this process's output.

    Raises:
        VerifyError: a test failed, or none could run.
    """
    command = [sys.executable, "-m", "pytest", TESTS, f"--ansible-inventory={inventory}", *pytest_filter(hosts)]
    done = subprocess.run(command, cwd=CHECKOUT, env={**os.environ, **ansible_environment()}, check=False)
    if done.returncode:
        raise VerifyError("A host failed its tests; see the lines above.")


def pytest_filter(hosts: Sequence[str]) -> list[str]:
    """Return the arguments with which pytest selects the tests of these hosts, as testinfra names them."""
    selected = [f"//{host}{end}" for host in hosts for end in ("]", "-")]
    return ["-k", " or ".join(selected)] if selected else []
