"""The tests of every host with testinfra."""

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from runner import process
from runner.ansible import rendered
from runner.declaration import Cluster, OwnMachines
from runner.errors import VerifyError
from runner.state import CHECKOUT, VAGRANT_INVENTORY

TESTS = "tests/hosts"


def verify(cluster: Cluster, hosts: Sequence[str], inventory: Path = VAGRANT_INVENTORY) -> None:
    """Run the tests of `hosts`, or of all if none is named; pytest writes to this process's output.

    Raises:
        VerifyError: a test failed, or none could run.
    """
    with tempfile.TemporaryDirectory(prefix="inaetics-verify-") as directory:
        connections = inventory
        if isinstance(cluster, OwnMachines):  # testinfra fills in no templates
            connections = Path(directory) / "inventory.json"
            connections.write_text(json.dumps(rendered(cluster)), encoding="utf-8")
        # Looking at a host kills nothing on it.
        selected = ["-m", "not disruptive", *pytest_filter(hosts)]
        run_pytest(connections, f"--variables-of={inventory}", *selected, TESTS)


def run_pytest(inventory: Path, *arguments: str) -> None:
    """Run pytest with these arguments, and testinfra on the hosts of an inventory; raises as `verify` does."""
    options = ["-c", f"{TESTS}/pytest.ini", "--rootdir=.", "-p", "testinfra.plugin", f"--ansible-inventory={inventory}"]
    command = [sys.executable, "-m", "pytest", *options, *arguments]
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
