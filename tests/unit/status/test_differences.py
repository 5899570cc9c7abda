"""Each difference from the declaration that `status` tells, and that a cluster as declared has none."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from runner.ansible import read_endpoints
from runner.cluster import differences
from runner.cluster.api import Node, Pod
from runner.cluster.differences import Difference
from runner.declaration import pki
from runner.declaration.model import load
from runner.prepare import ReleaseManifest
from runner.state import CHECKOUT, DECLARATION, State

DECLARED = load(DECLARATION)
NODES = [
    Node(str(host.address), ready=True, problem="", version="v1.37.2", cpus="1", memory="1Gi")
    for host in DECLARED.hosts[1:]
]
IMAGES = {"pause:1": "sha256:00", "inaetics/felix-agent:latest": "sha256:a1"}
RELEASE = ReleaseManifest(id="ff98", host_image="host:1", binaries={}, images=IMAGES)
POD = Pod("default", "queue", 1, 1, "Running", 0, "172.17.8.31", None)
OURS = "docker.io/inaetics/felix-agent:latest"


def told(found: Iterable[Difference]) -> list[str]:
    """Return what was seen; each says what helps."""
    listed = list(found)
    assert all("`" in one.remedy for one in listed)
    return [one.seen for one in listed]


def test_hosts_that_do_not_run() -> None:
    states = {host.name: "running" for host in DECLARED.hosts}
    assert told(differences.of_hosts(DECLARED, states)) == []
    states |= {"node-1": "paused", "node-2": "not_created"}
    assert told(differences.of_hosts(DECLARED, states)) == ["node-1 is paused", "node-2 is not created"]


def test_nodes_that_are_too_few_too_many_or_not_ready() -> None:
    assert told(differences.of_nodes(DECLARED, NODES)) == []
    unready = replace(NODES[1], ready=False, problem="kubelet stopped posting")
    stranger = replace(NODES[0], name="172.17.8.36")
    assert told(differences.of_nodes(DECLARED, [unready, *NODES[2:], stranger])) == [
        "node 172.17.8.31 (node-1) is not registered",
        "node 172.17.8.32 is not ready: kubelet stopped posting",
        "node 172.17.8.36 is not declared",
    ]


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (f"{OURS}@sha256:a1", []),
        (f"{OURS}@sha256:b2", [f"pod queue runs {OURS} that is not the release's"]),
        ("172.17.8.20:5000/mine:latest@sha256:b2", []),  # a person's
        ("docker.io/my-inaetics/felix-agent:latest@sha256:b2", []),
    ],
)
def test_images_that_are_not_the_releases(image: str, expected: list[str]) -> None:
    assert told(differences.of_images([replace(POD, images=(image,))], RELEASE)) == expected
    assert told(differences.of_images([replace(POD, images=(image,))], None)) == []


def test_certificates_that_are_not_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = State(tmp_path)
    pki.ensure(DECLARED, read_endpoints(DECLARED), state)
    assert told(differences.of_certificates(pki.expiries(state))) == []
    (state.pki / "certs" / "etcd.crt").write_bytes(b"")
    assert told(differences.of_certificates(pki.expiries(state))) == ["certificate etcd cannot be read"]

    def at(days: int) -> set[str]:
        """Return what is told of the API server's certificate when this machine's clock is so many days ahead."""

        class Clock(datetime):
            @classmethod
            def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
                assert tz is UTC
                return datetime.now(UTC) + timedelta(days=days)

        monkeypatch.setattr(pki, "datetime", Clock)
        found = told(differences.of_certificates(pki.expiries(state)))
        ours = "certificate kube-apiserver "
        return {one.removeprefix(ours) for one in found if one.startswith(ours)}

    assert at(-2) == {"is not valid yet"}
    assert at(340) == {"expires in 24 days"}
    assert at(370) == {"has expired"}


def test_the_units_that_are_looked_at_are_those_that_roles_start() -> None:
    expected: dict[str, set[str]] = {group: set() for group in differences.UNITS}
    groups = {"cluster": ("control_plane", "workers"), "etcd": ("control_plane",)}
    for play in yaml.safe_load((CHECKOUT / "playbooks" / "site.yml").read_text("utf-8")):
        units = {unit for entry in play["roles"] for unit in started(CHECKOUT / "roles" / entry["role"])}
        for group in groups.get(play["hosts"], (play["hosts"],)):
            expected[group] |= units
    assert {group: set(units) for group, units in differences.UNITS.items()} == expected


def started(role: Path) -> Iterator[str]:
    """Yield the units that a role starts; a name in braces stands for a list among its variables."""
    for path in (role / "tasks").glob("*.yml"):
        for task in yaml.safe_load(path.read_text("utf-8")):
            names = task.get("start_services", {}).get("names", [])
            if isinstance(names, str):
                names = yaml.safe_load((role / "vars" / "main.yml").read_text("utf-8"))[names.strip("{} ")]
            yield from names
