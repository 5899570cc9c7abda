"""The demonstrator's unit."""

import pytest

from tests.hosts.facts import Facts
from tests.hosts.services import PROPERTIES, UNPRIVILEGED

testinfra_hosts = ["ansible://control_plane"]
pytestmark = pytest.mark.journal("inaetics.service")

STARTED = "INAETICS demonstrator Kubernetes services and controllers."


@pytest.fixture(scope="module")
def unit(facts: Facts) -> dict[str, str]:
    """systemd's properties of the unit."""
    shown = facts.output(f"systemctl show --property={','.join(PROPERTIES)} inaetics.service")
    return dict(line.split("=", 1) for line in shown.splitlines())


def test_unit_has_created_the_application(unit: dict[str, str]) -> None:
    """It ends when everything is created and stays active: stopping it is what removes the application."""
    assert (unit["ActiveState"], unit["SubState"], unit["UnitFileState"]) == ("active", "exited", "enabled")


def test_unit_has_no_rights_of_its_own(unit: dict[str, str]) -> None:
    """It may do something at the API server, and nothing on this host."""
    assert unit["User"] == "inaetics"
    assert {name: unit[name] for name in UNPRIVILEGED} == UNPRIVILEGED


def test_journal_ends_with_the_original_line(facts: Facts) -> None:
    """The README tells people to wait for this line."""
    line = facts.output("journalctl --no-pager --output=cat --lines=1 --unit=inaetics.service")
    # How systemd names units is for the owner of the machine to say.
    other = "" if facts.variables["inaetics_app_original_journal"] else "inaetics.service - "
    assert line.endswith((f"Started {STARTED}", f"Started {other}{STARTED}"))
