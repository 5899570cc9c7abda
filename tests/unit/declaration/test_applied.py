"""Changes of what was applied last: which ones a cluster that exists can take on, and what is said of the others."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from runner.declaration import Cluster
from runner.declaration.applied import Applied
from runner.declaration.model import Declaration, load
from runner.errors import DeclarationError, HostsError
from runner.state import DECLARATION, State
from tests.support.own_machines import machine, own_machines

VERSIONS = {"kubernetes": "v1.37.2", "etcd": "v3.6.5", "containerd": "v2.1.4", "coredns": "v1.15.0"}


@pytest.fixture(name="state")
def fixture_state(tmp_path: Path) -> State:
    """A checkout that has made its keys."""
    state = State(tmp_path)
    state.pki.mkdir(parents=True)
    (state.pki / "encryption-key").touch()
    return state


def declared(**changes: Any) -> Declaration:
    """The project's own declaration with members of some keys, or whole keys, replaced."""
    told = load(DECLARATION).model_dump(mode="json")
    for key, value in changes.items():
        told[key] = told[key] | value if isinstance(value, dict) else value
    return Declaration.model_validate(told)


def applied(cluster: Cluster, inventory: str = "inventory/vagrant.py", **versions: str) -> Applied:
    return Applied.of(cluster, Path(inventory), VERSIONS | versions)


@contextmanager
def refused(message: str, remedy: str) -> Iterator[None]:
    with pytest.raises(DeclarationError, match=message) as caught:
        yield
    assert remedy in caught.value.remedy
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"nodes": {"count": 7}},
        {"name": "another"},
        {"nodes": {"cpus": 2, "memory": 2048}},
        {"controller": {"memory": 2048}},
    ],
    ids=str,
)
def test_what_roles_bring_about_passes(state: State, changes: dict[str, Any]) -> None:
    applied(declared()).write(state)
    applied(declared(**changes)).check(state)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"pod_network": "10.9.0.0/16"}, "pod_network 10.1.0.0/16, not 10.9.0.0/16"),
        ({"service_network": "10.4.0.0/16"}, "service_network 10.3.0.0/16, not 10.4.0.0/16"),
        ({"network": "172.17.0.0/16"}, "network 172.17.8.0/24, not 172.17.0.0/16"),
        ({"provider": "libvirt"}, "provider docker, not libvirt"),
        ({"controller": {"address": "172.17.8.21"}}, "address of controller 172.17.8.20, not 172.17.8.21"),
        ({"nodes": {"first_address": "172.17.8.41"}}, "address of node-1 172.17.8.31, not 172.17.8.41, .*node-5"),
    ],
    ids=str,
)
def test_what_would_be_another_cluster_is_refused(state: State, changes: dict[str, Any], told: str) -> None:
    applied(declared()).write(state)
    with refused(f"A cluster keeps what it was raised with: {told}", "`python -m runner destroy`"):
        applied(declared(**changes)).check(state)


@pytest.mark.parametrize("component", ["kubernetes", "etcd", "containerd"])
def test_another_version_is_no_upgrade(state: State, component: str) -> None:
    applied(declared()).write(state)
    with refused(f"version of {component} {VERSIONS[component]}, not v9.0.0", "Take the change back"):
        applied(declared(), **{component: "v9.0.0"}).check(state)
    applied(declared(), coredns="v9.0.0").check(state)


@pytest.mark.parametrize("key", ["cpus", "memory"])
def test_a_virtual_machine_keeps_what_it_was_given(state: State, key: str) -> None:
    applied(declared(provider="libvirt")).write(state)
    with refused(f"{key} of node-1", "`python -m runner destroy`"):
        applied(declared(provider="libvirt", nodes={key: 2048 if key == "memory" else 2})).check(state)


@pytest.mark.parametrize("content", [None, b"", b"\xff\x00 [{", b"[]", b'{"inventory": "x"}'], ids=str)
def test_where_nothing_is_known_nothing_is_refused(state: State, content: bytes | None) -> None:
    if content is not None:
        state.applied.write_bytes(content)
    assert Applied.read(state) is None
    applied(declared(provider="libvirt")).check(state)


def test_another_inventory_is_another_cluster(state: State) -> None:
    applied(declared()).write(state)
    applied(own_machines(), "own.yml").check(state)


def test_machines_that_an_inventory_no_longer_names_are_not_removed(state: State) -> None:
    applied(own_machines(), "own.yml").write(state)
    fewer = own_machines(machines={name: machine(name) for name in ("zeta", "alpha")})
    with refused("worker-b of the cluster are not in own.yml any more", "delete node 172.31.254.201"):
        applied(fewer, "own.yml").check(state)


def test_a_machine_of_ones_own_is_not_told_to_be_destroyed(state: State) -> None:
    applied(own_machines(), "own.yml").write(state)
    with refused("pod_network 10.51.0.0/16, not 10.9.0.0/16", "only machines on which no cluster runs"):
        applied(own_machines(pod_network="10.9.0.0/16"), "own.yml").check(state)


def test_a_cluster_without_its_keys_is_given_no_others(state: State) -> None:
    applied(declared()).write(state)
    (state.pki / "encryption-key").unlink()
    with pytest.raises(HostsError, match="keys and certificates are not in") as caught:
        applied(declared()).check(state)
    assert "Put them back there" in caught.value.remedy
