"""Finds what has happened by comparing one snapshot with the next. Pure functions."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from demonstrator.bundles.coordinator.collector import Snapshot
from demonstrator.model.overview import EventKind, Initiator
from demonstrator.platform import Container, Pod

TERMINATING = "Terminating"
# A container waits for these at every start.
_USUAL = ("", "ContainerCreating", "PodInitializing")


@dataclass(frozen=True, slots=True)
class DiffState:
    """State that one comparison passes to the next.

    Attributes:
        ready: the pods that have been ready since they came.
        gone: pods that have ended and were not replaced yet.
    """

    ready: frozenset[str] = frozenset()
    gone: tuple[Pod, ...] = ()


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event without its number and time."""

    kind: EventKind
    subject: str
    text: str
    by: Initiator = ""


def compare(before: Snapshot, after: Snapshot, state: DiffState) -> tuple[list[NewEvent], DiffState]:
    """Return what has happened from one snapshot to the next, and the state for the next comparison.

    A source that was empty before has not changed: its first content is where things start.
    """
    scaled = {name for name, number in after.replicas.items() if before.replicas.get(name, number) != number}
    replaceable = tuple(pod for pod in state.gone if controller(pod.name) in after.replicas.keys() - scaled)
    pods = _Pods(DiffState(state.ready, replaceable))
    found = [
        *_coordinator(before, after),
        *(_scaled(name, before.replicas[name], after) for name in sorted(scaled)),
        *_nodes(before, after),
        *pods.compare(before.pods, after.pods),
        *_bundles(before, after),
        *_lost(before, after),
    ]
    return found, pods.state


def controller(pod: str) -> str:
    """Return the name of the replication controller that made a pod of this name."""
    return pod.rpartition("-")[0]


def _coordinator(before: Snapshot, after: Snapshot) -> Iterator[NewEvent]:
    old, new = before.scaling, after.scaling
    if new.coordinator not in ("", old.coordinator):
        if old.coordinator:
            yield NewEvent("moved", new.coordinator, f"acts as the coordinator, instead of {old.coordinator}")
        else:
            yield NewEvent("started", new.coordinator, "acts as the coordinator")
    elif old.coordinator:
        if new.preferred_utilisation != old.preferred_utilisation:
            text = f"{old.preferred_utilisation} → {new.preferred_utilisation} %"
            yield NewEvent("set", "preferred utilisation", text, "dashboard")
        if new.producer_kind != old.producer_kind:
            yield NewEvent("set", "producers", f"{old.producer_kind} → {new.producer_kind}", "dashboard")


def _scaled(name: str, number: int, after: Snapshot) -> NewEvent:
    replicas = after.replicas[name]
    request = after.requests.get(name)
    text = f"{number} → {replicas} replicas"
    if request is None or request.replicas != replicas:
        return NewEvent("scaled", name, f"{text}, requested from outside the dashboard")
    return NewEvent("scaled", name, f"{text}: {request.why}" if request.why else text, request.by)


def _nodes(before: Snapshot, after: Snapshot) -> Iterator[NewEvent]:
    if not before.nodes:
        return
    old = {node.name: node.ready for node in before.nodes}
    new = {node.name: node.ready for node in after.nodes}
    for name in sorted(old.keys() | new.keys()):
        if name not in new:
            yield NewEvent("ended", name, "left the cluster")
        elif name not in old:
            yield NewEvent("started", name, "joined the cluster")
        elif old[name] and not new[name]:
            yield NewEvent("failed", name, "is NotReady")
        elif new[name] and not old[name]:
            yield NewEvent("recovered", name, "is Ready again")


class _Pods:
    """Compares pods; `state` changes on the way."""

    def __init__(self, state: DiffState) -> None:
        self._ready = state.ready
        self._gone = list(state.gone)

    @property
    def state(self) -> DiffState:
        """The state for the next comparison."""
        return DiffState(self._ready, tuple(self._gone))

    def compare(self, before: tuple[Pod, ...], after: tuple[Pod, ...]) -> Iterator[NewEvent]:
        """Yield what has happened to the pods."""
        old = {pod.name: pod for pod in before}
        new = {pod.name: pod for pod in after}
        if not before:
            self._ready = frozenset(pod.name for pod in after if pod.ready)
            return
        yield from self._left(old, new)
        for name, pod in new.items():
            if pod.phase != TERMINATING:
                yield from self._changed(old.get(name), pod)
        self._ready = (self._ready | {pod.name for pod in after if pod.ready}) & new.keys()

    def _left(self, old: Mapping[str, Pod], new: Mapping[str, Pod]) -> Iterator[NewEvent]:
        for name, pod in old.items():
            ends = name not in new or new[name].phase == TERMINATING
            if ends and pod.phase != TERMINATING:
                self._gone.append(pod)
                yield NewEvent("ended", name, f"ends on {pod.node}" if pod.node else "ends before it was placed")

    def _changed(self, old: Pod | None, new: Pod) -> Iterator[NewEvent]:
        restarted = list(_restarts(old, new))
        yield from restarted
        if new.ready and new.name not in self._ready:
            yield self._arrived(new)
        elif old and new.ready and not old.ready:
            yield NewEvent("recovered", new.name, "is ready again")
        elif old and old.ready and not new.ready and not restarted:
            yield NewEvent("failed", new.name, f"is not ready any more on {new.node}")
        if new.phase == "Failed" and (old is None or old.phase != "Failed"):
            yield NewEvent("failed", new.name, f"failed on {new.node}")

    def _arrived(self, pod: Pod) -> NewEvent:
        for other in self._gone:
            if controller(other.name) == controller(pod.name):
                self._gone.remove(other)
                if other.node not in ("", pod.node):
                    return NewEvent("moved", pod.name, f"runs on {pod.node}, instead of {other.name} on {other.node}")
                break
        return NewEvent("started", pod.name, f"runs on {pod.node}")


def _restarts(old: Pod | None, new: Pod) -> Iterator[NewEvent]:
    """Yield the containers that were restarted, or that cannot start."""
    known = {container.name: container for container in old.containers} if old else {}
    for container in new.containers:
        earlier = known.get(container.name)
        if container.restarts > (earlier.restarts if earlier else 0):
            reason = f", {container.reason}" if container.reason else ""
            yield NewEvent("failed", new.name, f"{container.name} was restarted ({container.restarts}{reason})")
        elif _stuck(container) and not (earlier and _stuck(earlier)):
            yield NewEvent("failed", new.name, f"{container.name} waits: {container.reason}")


def _stuck(container: Container) -> bool:
    return container.state == "waiting" and container.reason not in _USUAL


def _bundles(before: Snapshot, after: Snapshot) -> Iterator[NewEvent]:
    for pod, bundles in after.bundles.items():
        if pod not in before.bundles:
            continue
        for name, new in bundles.items():
            old = before.bundles[pod].get(name)
            if old is None:
                yield NewEvent("updated", pod, f"has got bundle {name} {new.version}")
            elif old.version != new.version:
                yield NewEvent("updated", pod, f"bundle {name} {old.version} → {new.version}")
            if old and old.state != new.state and new.state not in ("running", "waiting"):
                yield NewEvent("failed", pod, f"bundle {name} {new.version} is {new.state}")
        for name in before.bundles[pod].keys() - bundles.keys():
            yield NewEvent("updated", pod, f"bundle {name} was removed")


def _lost(before: Snapshot, after: Snapshot) -> Iterator[NewEvent]:
    if before.accounting and after.accounting and after.accounting.lost > before.accounting.lost:
        total = after.accounting.lost
        yield NewEvent("lost", "samples", f"{total - before.accounting.lost:,} lost, {total:,} in total")
