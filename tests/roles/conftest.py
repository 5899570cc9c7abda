"""Roles by themselves: one or two hosts for each, in a network of their own."""

from collections.abc import Iterator

import pytest

from tests.roles.hosts import Hosts
from tests.roles.scenarios import SCENARIOS
from tests.support.role_variables import SHARED, changed


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that chooses roles."""
    parser.addoption(
        "--role", action="append", choices=SCENARIOS, help="run the scenario of this role alone (default: all)"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make each test twice for every role: with its defaults, and with all variables changed."""
    roles = metafunc.config.getoption("--role") or list(SCENARIOS)
    cases = [
        pytest.param(role, variables, id=f"{role}-{values}")
        for role in roles
        for values, variables in (("defaults", {}), ("changed", SHARED | changed(role)))
    ]
    metafunc.parametrize(("hosts", "variables"), cases, indirect=["hosts"], scope="module")


@pytest.fixture(scope="module")
def hosts(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    """The role's hosts, raised before its first test and removed after its last."""
    raised = Hosts(SCENARIOS[request.param], tmp_path_factory.mktemp(request.param))
    try:
        raised.up()
        yield raised
    finally:  # Ctrl-C may come while they are raised
        raised.destroy()
