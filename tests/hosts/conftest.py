"""Facts of the hosts for every test, over one ssh connection a host that stays open; journals beside failures."""

from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host  # type: ignore[import-untyped]  # has no types

from runner.state import VAGRANT_INVENTORY
from tests.hosts import values as roles
from tests.hosts.facts import Facts
from tests.hosts.services import Service
from tests.support.ssh import connect_as_root

JOURNAL_LINES = 30


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option for an inventory that says more than how hosts are reached."""
    parser.addoption("--variables-of", metavar="INVENTORY", help="inventory of the variables (default: testinfra's)")


def pytest_configure(config: pytest.Config) -> None:
    """See tests/support/ssh.py; and name what the tests are marked with."""
    connect_as_root(config)
    config.addinivalue_line("markers", "disruptive: kills something on the host; `verify` leaves it out")
    config.addinivalue_line("markers", "journal(unit): print this unit's journal when the test fails")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out the pairs of a service and a host that does not run it."""
    items[:] = [item for item in items if _belongs(item)]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put the journal of the service under test beside a failure."""
    report = yield
    if report.when == "call" and report.failed and isinstance(item, pytest.Function):
        facts = item.funcargs.get("facts")
        if isinstance(facts, Facts):
            for unit in _units(item):
                report.sections.append((f"journal of {unit} on {facts.name}", facts.journal(unit, JOURNAL_LINES)))
    return report


@pytest.fixture(scope="session")
def known() -> dict[str, Facts]:
    """The facts of every host that was looked at, so that no test asks again."""
    return {}


@pytest.fixture(scope="session")
def values(pytestconfig: pytest.Config) -> dict[str, Mapping[str, Any]]:
    """The roles' variables, by host."""
    given = pytestconfig.getoption("--variables-of", None) or pytestconfig.option.ansible_inventory
    return roles.read(Path(given or VAGRANT_INVENTORY))


@pytest.fixture(scope="module")
def facts(host: Host, known: dict[str, Facts], values: dict[str, Mapping[str, Any]]) -> Facts:
    """The facts of the host under test."""
    name = host.backend.get_pytest_id()
    if name not in known:
        known[name] = Facts(host, values)
    return known[name]


def _parameters(item: pytest.Item) -> dict[str, Any]:
    return item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}


def _belongs(item: pytest.Item) -> bool:
    parameters = _parameters(item)
    host, service = parameters.get("_testinfra_host"), parameters.get("service")
    return not (isinstance(service, Service) and host) or service.group in host.ansible.get_variables()["group_names"]


def _units(item: pytest.Item) -> list[str]:
    service = _parameters(item).get("service")
    marked = [str(mark.args[0]) for mark in item.iter_markers("journal")]
    return [service.unit] if isinstance(service, Service) else marked
