"""Look at every host with testinfra."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from runner.ansible import play as roles
from runner.errors import VerifyError
from runner.paths import CHECKOUT

TESTS = "tests/hosts"


def verify(hosts: Sequence[str], inventory: Path = roles.INVENTORY) -> None:
    """Run tests/hosts on `hosts`, or on all where none is named; pytest writes to this process's output.

    Raises:
        VerifyError: a test failed, or none could run.
    """
    command = [sys.executable, "-m", "pytest", TESTS, f"--ansible-inventory={inventory}", *choice(hosts)]
    done = subprocess.run(command, cwd=CHECKOUT, env={**os.environ, **roles.environment()}, check=False)
    if done.returncode:
        raise VerifyError("The hosts are not as they should be; the lines above say where.")


def choice(hosts: Sequence[str]) -> list[str]:
    """What makes pytest choose the tests of these hosts, by the names that testinfra gives them."""
    chosen = [f"//{host}{end}" for host in hosts for end in ("]", "-")]
    return ["-k", " or ".join(chosen)] if chosen else []
