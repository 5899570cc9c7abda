"""The table of scenarios (tests/roles) names all roles, in the site's order, and tests that exist."""

import pytest
import yaml

from runner.state import CHECKOUT
from tests.roles.scenarios import SCENARIOS, Scenario

SITE = [
    entry["role"]
    for play in yaml.safe_load((CHECKOUT / "playbooks" / "site.yml").read_text("utf-8"))
    for entry in play["roles"]
]


def test_every_role_of_the_site_has_a_scenario() -> None:
    assert sorted(SCENARIOS) == sorted(SITE)


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=lambda scenario: scenario.role)
def test_a_scenario_needs_roles_that_come_before_its_own(scenario: Scenario) -> None:
    assert set(scenario.needs) <= set(SITE[: SITE.index(scenario.role)])


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=lambda scenario: scenario.role)
def test_a_scenario_names_tests_that_exist(scenario: Scenario) -> None:
    for name in (*scenario.tests, *scenario.without):
        file, _, function = name.partition("::")
        text = (CHECKOUT / "tests" / "hosts" / file).read_text("utf-8")
        assert not function or f"def {function}(" in text, name
