"""Every service of the cluster: running, to stay, as little powerful as it can be."""

import re

import pytest

from tests.hosts.facts import Facts
from tests.hosts.services import SERVICES, Service

testinfra_hosts = ["ansible://cluster"]

pytestmark = pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)

# A crash's first lines, a key, a token, and colours that only a terminal understands.
UNREADABLE = re.compile(r"^panic:|^goroutine \d+ \[|PRIVATE KEY|Bearer [A-Za-z0-9._-]{20}|\x1b\[", re.MULTILINE)


def test_runs_now_and_after_a_boot(facts: Facts, service: Service) -> None:
    """The cluster comes back by itself after a power cut only if every part is enabled."""
    state = facts.states[service.unit]
    assert (state["ActiveState"], state["SubState"], state["UnitFileState"]) == ("active", "running", "enabled")


def test_is_restarted_however_it_ends(facts: Facts, service: Service) -> None:
    """A service that ended without an error is as absent as one that crashed."""
    assert facts.states[service.unit]["Restart"] == "always"


def test_runs_as_its_own_user(facts: Facts, service: Service) -> None:
    """An intruder in one service must not become root, nor reach another service."""
    assert facts.states[service.unit]["User"] == service.user


def test_is_confined_by_systemd(facts: Facts, service: Service) -> None:
    """A service must not reach anything that it never needs, also when it is broken into."""
    state = facts.states[service.unit]
    assert {name: state[name] for name in service.hardening} == service.hardening


def test_goes_last_where_memory_runs_out(facts: Facts, service: Service) -> None:
    """A node whose runtime is killed loses all its pods instead of one; a container may not lower its own score."""
    expected = "-999" if service.spared and not facts.variables["cluster_hosts_are_containers"] else "0"
    process = f"$(systemctl show --property=MainPID --value {service.unit})"  # another one since it was killed
    assert facts.output(f"cat /proc/{process}/oom_score_adj") == expected


def test_journal_can_be_read(facts: Facts, service: Service) -> None:
    """The journal is where people look first: it must be there, meant for the eye, and without secrets."""
    journal = facts.journal(service.unit)
    assert journal.strip()
    assert not UNREADABLE.search(journal)
