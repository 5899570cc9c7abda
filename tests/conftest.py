"""Raises the cluster that tests/hosts, tests/cluster and tests/app look at, and removes it after them.

Without --raise they look at the cluster that runs. It has to be there before tests are collected,
since testinfra makes one test of each for every host of the inventory; so no fixture can raise it.
"""

import os
import subprocess
import sys

import pytest

from runner.state import CHECKOUT


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that raises a cluster for the tests."""
    parser.addoption(
        "--raise",
        dest="raise_cluster",
        action="store_true",
        help="raise the cluster from nothing first, and remove it afterwards unless KEEP is set",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Name what tests are marked with."""
    config.addinivalue_line("markers", "disruptive: takes something away from the cluster; runs after all others")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the disruptive tests last: the others meet the cluster as it was raised."""
    items.sort(key=lambda item: item.get_closest_marker("disruptive") is not None)


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Raise the cluster; what the run says goes to the terminal as it comes."""
    if session.config.getoption("raise_cluster"):
        _runner("destroy")
        if code := _runner("site"):
            pytest.exit(f"`python -m runner site` ended with exit code {code}; its output is above", returncode=code)


@pytest.hookimpl(trylast=True)  # after Ctrl-C fixtures are still to end, which ask the cluster
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Remove the cluster, also after a failure and after Ctrl-C."""
    if session.config.getoption("raise_cluster") and not os.environ.get("KEEP"):
        _runner("destroy")


def _runner(command: str) -> int:
    print(f"\n$ python -m runner {command}", flush=True)
    return subprocess.run([sys.executable, "-m", "runner", command], cwd=CHECKOUT, check=False).returncode
