"""A role by itself, with its defaults and then with every variable changed: it converges, stays, and does its work.

`make role ROLE=etcd`, or `pytest --verbose --exitfirst tests/roles --role etcd`. The tests tell one story, in this
order; a role's hosts serve both kinds of values, so that the second shows as well what a changed setting restarts.
"""

from typing import Any

import pytest

from tests.roles.hosts import Hosts
from tests.support.role_variables import FORMER


def test_converge(hosts: Hosts, variables: dict[str, Any]) -> None:
    before = hosts.started()
    hosts.declare(variables)
    assert hosts.converge(*hosts.scenario.needs, hosts.scenario.role)
    now = hosts.started()
    assert {unit for _, unit in now} == set(hosts.scenario.units)
    assert [unit for unit, start in now.items() if before.get(unit) == start] == []


def test_check(hosts: Hosts, variables: dict[str, Any]) -> None:
    assert hosts.converge(hosts.scenario.role, check=True) == []


def test_idempotence(hosts: Hosts, variables: dict[str, Any]) -> None:
    """A second run changes nothing: as a whole, and part by part, as `tasks_from` runs it."""
    assert (hosts.converge_by_parts() if variables else hosts.converge(hosts.scenario.role)) == []


def test_verify(hosts: Hosts, variables: dict[str, Any]) -> None:
    hosts.verify()


def test_former_values_are_gone(hosts: Hosts, variables: dict[str, Any]) -> None:
    """Processes have no file, port or argument of before."""
    if not hosts.scenario.units:
        pytest.skip("the role has no process")
    used = hosts.used()
    assert ("/changed/" in used) == bool(variables)
    if variables:
        assert FORMER.findall(used) == []
