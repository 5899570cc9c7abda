"""Events are found in what changes from one snapshot to the next, each once and in words."""

from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs

from demonstrator.bundles.coordinator.events import TERMINATING, EventLog, Snapshot
from demonstrator.bundles.coordinator.watches import ScaleRequest
from demonstrator.model.overview import Accounting, DataPoint, Event, Node, Overview, Scaling
from demonstrator.platform import Container, Pod
from demonstrator.platform.manifest import BundleState

QUEUE, OTHER = "inaetics-queue-controller-aaaaa", "inaetics-queue-controller-bbbbb"
CONTROLLER = "inaetics-queue-controller"
FINE = Container("c", "running", "", 0)
Told = tuple[str, str, str, str]


def pod(
    name: str = QUEUE,
    node: str = "node-1",
    *,
    ready: bool = True,
    phase: str = "Running",
    container: Container = FINE,
) -> Pod:
    return Pod(name, phase, ready, node, "", None, (container,))


def lost(samples: int) -> Accounting:
    return Accounting(10_000, samples, stored=0, queued=0, in_work=0, refused=0, lost=samples)


SCALING = Scaling("original", "viewer", 20, "periodic", processors=None, producers=None)
NODES = (Node("node-1", ready=True), Node("node-2", ready=True))
BEFORE = Snapshot(
    Overview(DataPoint(5.0, 0.0, 0.0, 0.0, 0.0), lost(0), (), (pod(),), NODES, SCALING),
    replicas={CONTROLLER: 1},
    bundles={QUEUE: {"queue": BundleState("queue", "1.0.0", "running")}},
)


def changed(**change: Any) -> Snapshot:
    """Return BEFORE with other members, or with other members of its overview."""
    own = {name: change.pop(name) for name in ("replicas", "requests", "bundles") if name in change}
    return replace(BEFORE, overview=structs.replace(BEFORE.overview, **change), **own)


def events(*snapshots: Snapshot) -> list[Event]:
    log = EventLog()
    for snapshot in snapshots:
        log.update(snapshot)
    found = list(log.events)
    assert [(event.number, event.at) for event in found] == [(number, 5.0) for number in range(1, len(found) + 1)]
    return found


def told(before: Snapshot, *following: Snapshot) -> list[Told]:
    """Return the events of a series of snapshots, of which the first is where things start."""
    known = len(events(before))
    found = events(before, *following)[known:]
    return [(event.kind, event.subject, event.text, event.by) for event in found]


def bundle(version: str, state: str = "running") -> dict[str, dict[str, BundleState]]:
    return {QUEUE: {"queue": BundleState("queue", version, state)}}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        (
            {"replicas": {CONTROLLER: 2}},
            [("scaled", CONTROLLER, "1 → 2 replicas, requested from outside the dashboard", "")],
        ),
        (
            {"replicas": {CONTROLLER: 2}, "requests": {CONTROLLER: ScaleRequest(2, "rule", "slope 6 %/s")}},
            [("scaled", CONTROLLER, "1 → 2 replicas: slope 6 %/s", "rule")],
        ),
        (
            {"replicas": {CONTROLLER: 2}, "requests": {CONTROLLER: ScaleRequest(2, "dashboard", "")}},
            [("scaled", CONTROLLER, "1 → 2 replicas", "dashboard")],
        ),
        (
            {"replicas": {CONTROLLER: 3}, "requests": {CONTROLLER: ScaleRequest(2, "rule", "before")}},
            [("scaled", CONTROLLER, "1 → 3 replicas, requested from outside the dashboard", "")],
        ),
        (
            {"scaling": structs.replace(SCALING, preferred_utilisation=45)},
            [("set", "preferred utilisation", "20 → 45 %", "dashboard")],
        ),
        (
            {"scaling": structs.replace(SCALING, producer_kind="burst")},
            [("set", "producers", "periodic → burst", "dashboard")],
        ),
        (
            {"scaling": structs.replace(SCALING, coordinator="another")},
            [("moved", "another", "acts as the coordinator, instead of viewer", "")],
        ),
        ({"scaling": structs.replace(SCALING, coordinator="")}, []),
        (
            {"nodes": (Node("node-1", ready=False), Node("node-2", ready=True))},
            [("failed", "node-1", "is NotReady", "")],
        ),
        ({"nodes": (Node("node-1", ready=True),)}, [("ended", "node-2", "left the cluster", "")]),
        (
            {"nodes": (*NODES, Node("node-3", ready=True))},
            [("started", "node-3", "joined the cluster", "")],
        ),
        ({"pods": (pod(ready=False),)}, [("failed", QUEUE, "is not ready any more on node-1", "")]),
        ({"pods": (pod(phase=TERMINATING),)}, [("ended", QUEUE, "ends on node-1", "")]),
        ({"pods": (pod(phase="Failed"),)}, [("failed", QUEUE, "failed on node-1", "")]),
        (
            {"pods": (pod(ready=False, container=Container("c", "running", "OOMKilled", 1)),)},
            [("failed", QUEUE, "c was restarted (1, OOMKilled)", "")],
        ),
        ({"pods": (pod(), pod(OTHER))}, [("started", OTHER, "runs on node-1", "")]),
        ({"pods": (pod(), pod(OTHER, ready=False))}, []),
        (
            {"pods": (pod(), pod(OTHER, ready=False, container=Container("c", "waiting", "ImagePullBackOff", 0)))},
            [("failed", OTHER, "c waits: ImagePullBackOff", "")],
        ),
        ({"pods": (pod(), pod(OTHER, ready=False, container=Container("c", "waiting", "ContainerCreating", 0)))}, []),
        ({"bundles": bundle("1.1.0")}, [("updated", QUEUE, "bundle queue 1.0.0 → 1.1.0", "")]),
        (
            {"bundles": bundle("1.1.0", "failed")},
            [
                ("updated", QUEUE, "bundle queue 1.0.0 → 1.1.0", ""),
                ("failed", QUEUE, "bundle queue 1.1.0 is failed", ""),
            ],
        ),
        ({"bundles": {QUEUE: {}}}, [("updated", QUEUE, "bundle queue was removed", "")]),
        ({"bundles": {}}, []),
        ({"accounting": lost(1500)}, [("lost", "samples", "1,500 lost, 1,500 in total", "")]),
        ({"accounting": None}, []),
    ],
)
def test_a_change_is_told_in_words(change: dict[str, Any], expected: list[Told]) -> None:
    assert told(BEFORE, changed(**change)) == expected


def test_what_was_there_at_the_start_has_not_happened() -> None:
    """A coordinator that begins knows nothing of before; only that it acts now is news."""
    assert [(event.kind, event.subject) for event in events(BEFORE)] == [("started", "viewer")]


def test_what_ends_comes_back() -> None:
    down = changed(nodes=(Node("node-1", ready=False), NODES[1]), pods=(pod(ready=False),))
    assert [event[:2] for event in told(BEFORE, down, BEFORE)] == [
        ("failed", "node-1"),
        ("failed", QUEUE),
        ("recovered", "node-1"),
        ("recovered", QUEUE),
    ]


def test_a_pod_that_replaces_another_on_another_node_has_moved() -> None:
    """The old pod may stay, Terminating, for as long as its node is silent; it ends once."""
    leaving = pod(phase=TERMINATING)
    placed = pod(OTHER, "node-2", ready=False)
    found = told(
        BEFORE,
        changed(pods=(leaving, placed)),
        changed(pods=(leaving, replace(placed, ready=True))),
        changed(pods=(replace(placed, ready=True),)),
    )
    assert found == [
        ("ended", QUEUE, "ends on node-1", ""),
        ("moved", OTHER, f"runs on node-2, instead of {QUEUE} on node-1", ""),
    ]


def test_a_pod_that_is_asked_for_anew_has_not_moved() -> None:
    """Scaled down and up again: what runs now replaces nothing."""
    none = changed(replicas={CONTROLLER: 0}, pods=(pod("another-controller-ccccc"),))
    again = changed(pods=(*none.overview.pods, pod(OTHER, "node-2")))
    assert [event[:2] for event in told(BEFORE, none, again) if event[1] == OTHER] == [("started", OTHER)]
