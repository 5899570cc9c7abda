"""What has happened, found by comparing one observation with the next. Pure functions."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from demonstrator.bundles.coordinator.controllers import Asked
from demonstrator.model.overview import EventKind, Initiator, Node
from demonstrator.model.samples import ProducerMode
from demonstrator.platform.manifest import BundleState
from demonstrator.platform.spi import Container, Pod

TERMINATING = "Terminating"
# A container waits for these at every start.
_USUAL = ("", "ContainerCreating", "PodInitializing")


@dataclass(frozen=True, slots=True)
class Observation:
    """What events are found in.

    Attributes:
        requested: how many pods each replication controller is asked for.
        asked: what this coordinator has asked each of them for last.
        coordinator: the pod whose coordinator acts.
        preference: the preferred utilisation, in percent.
        kind: of the producers.
        pods: the pods of the namespace.
        nodes: the machines of the cluster.
        bundles: what each pod's agent has reported, by the bundle's name.
        lost: samples that are lost; None while nobody can tell.
    """

    requested: Mapping[str, int] = field(default_factory=dict)
    asked: Mapping[str, Asked] = field(default_factory=dict)
    coordinator: str = ""
    preference: int = 0
    kind: ProducerMode = "periodic"
    pods: tuple[Pod, ...] = ()
    nodes: tuple[Node, ...] = ()
    bundles: Mapping[str, Mapping[str, BundleState]] = field(default_factory=dict)
    lost: int | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """What one comparison hands to the next.

    Attributes:
        up: the pods that have been ready since they came.
        gone: pods that have ended and were not replaced yet.
    """

    up: frozenset[str] = frozenset()
    gone: tuple[Pod, ...] = ()


@dataclass(frozen=True, slots=True)
class Happening:
    """An event that has no number and no time yet."""

    kind: EventKind
    subject: str
    text: str
    by: Initiator = ""


def compare(before: Observation, after: Observation, memory: Memory) -> tuple[list[Happening], Memory]:
    """What has happened from one observation to the next, and what to remember of it.

    A source that had told nothing before has not changed: what it tells is where things start.
    """
    scaled = {name for name, number in after.requested.items() if before.requested.get(name, number) != number}
    kept = tuple(pod for pod in memory.gone if controller(pod.name) in after.requested.keys() - scaled)
    pods = _Pods(Memory(memory.up, kept))
    found = [
        *_coordinator(before, after),
        *(_scaled(name, before.requested[name], after) for name in sorted(scaled)),
        *_nodes(before, after),
        *pods.compare(before.pods, after.pods),
        *_bundles(before, after),
        *_lost(before, after),
    ]
    return found, pods.memory


def controller(pod: str) -> str:
    """The name of the replication controller that made a pod of this name."""
    return pod.rpartition("-")[0]


def _coordinator(before: Observation, after: Observation) -> Iterator[Happening]:
    if after.coordinator not in ("", before.coordinator):
        if before.coordinator:
            yield Happening("moved", after.coordinator, f"acts as the coordinator, instead of {before.coordinator}")
        else:
            yield Happening("started", after.coordinator, "acts as the coordinator")
    elif before.coordinator:
        if after.preference != before.preference:
            text = f"{before.preference} → {after.preference} %"
            yield Happening("set", "preferred utilisation", text, "dashboard")
        if after.kind != before.kind:
            yield Happening("set", "producers", f"{before.kind} → {after.kind}", "dashboard")


def _scaled(name: str, number: int, after: Observation) -> Happening:
    wanted = after.requested[name]
    asked = after.asked.get(name)
    text = f"{number} → {wanted} replicas"
    if asked is None or asked.replicas != wanted:
        return Happening("scaled", name, f"{text}, asked for from outside the dashboard")
    return Happening("scaled", name, f"{text}: {asked.why}" if asked.why else text, asked.by)


def _nodes(before: Observation, after: Observation) -> Iterator[Happening]:
    if not before.nodes:
        return
    old = {node.name: node.ready for node in before.nodes}
    new = {node.name: node.ready for node in after.nodes}
    for name in sorted(old.keys() | new.keys()):
        if name not in new:
            yield Happening("ended", name, "left the cluster")
        elif name not in old:
            yield Happening("started", name, "joined the cluster")
        elif old[name] and not new[name]:
            yield Happening("failed", name, "is NotReady")
        elif new[name] and not old[name]:
            yield Happening("recovered", name, "is Ready again")


class _Pods:
    """Compares pods; `memory` changes on the way."""

    def __init__(self, memory: Memory) -> None:
        self._up = memory.up
        self._gone = list(memory.gone)

    @property
    def memory(self) -> Memory:
        """What to remember."""
        return Memory(self._up, tuple(self._gone))

    def compare(self, before: tuple[Pod, ...], after: tuple[Pod, ...]) -> Iterator[Happening]:
        """What has happened to the pods."""
        old = {pod.name: pod for pod in before}
        new = {pod.name: pod for pod in after}
        if not before:
            self._up = frozenset(pod.name for pod in after if pod.ready)
            return
        yield from self._left(old, new)
        for name, pod in new.items():
            if pod.phase != TERMINATING:
                yield from self._changed(old.get(name), pod)
        self._up = (self._up | {pod.name for pod in after if pod.ready}) & new.keys()

    def _left(self, old: Mapping[str, Pod], new: Mapping[str, Pod]) -> Iterator[Happening]:
        for name, pod in old.items():
            ends = name not in new or new[name].phase == TERMINATING
            if ends and pod.phase != TERMINATING:
                self._gone.append(pod)
                yield Happening("ended", name, f"ends on {pod.node}" if pod.node else "ends before it was placed")

    def _changed(self, old: Pod | None, new: Pod) -> Iterator[Happening]:
        restarted = list(_restarts(old, new))
        yield from restarted
        if new.ready and new.name not in self._up:
            yield self._arrived(new)
        elif old and new.ready and not old.ready:
            yield Happening("recovered", new.name, "is ready again")
        elif old and old.ready and not new.ready and not restarted:
            yield Happening("failed", new.name, f"is not ready any more on {new.node}")
        if new.phase == "Failed" and (old is None or old.phase != "Failed"):
            yield Happening("failed", new.name, f"failed on {new.node}")

    def _arrived(self, pod: Pod) -> Happening:
        for other in self._gone:
            if controller(other.name) == controller(pod.name):
                self._gone.remove(other)
                if other.node not in ("", pod.node):
                    return Happening("moved", pod.name, f"runs on {pod.node}, instead of {other.name} on {other.node}")
                break
        return Happening("started", pod.name, f"runs on {pod.node}")


def _restarts(old: Pod | None, new: Pod) -> Iterator[Happening]:
    """Containers that were started again, or that cannot start."""
    known = {container.name: container for container in old.containers} if old else {}
    for container in new.containers:
        earlier = known.get(container.name)
        if container.restarts > (earlier.restarts if earlier else 0):
            reason = f", {container.reason}" if container.reason else ""
            yield Happening("failed", new.name, f"{container.name} was restarted ({container.restarts}{reason})")
        elif _stuck(container) and not (earlier and _stuck(earlier)):
            yield Happening("failed", new.name, f"{container.name} waits: {container.reason}")


def _stuck(container: Container) -> bool:
    return container.state == "waiting" and container.reason not in _USUAL


def _bundles(before: Observation, after: Observation) -> Iterator[Happening]:
    for pod, bundles in after.bundles.items():
        if pod not in before.bundles:
            continue
        for name, new in bundles.items():
            old = before.bundles[pod].get(name)
            if old is None:
                yield Happening("updated", pod, f"has got bundle {name} {new.version}")
            elif old.version != new.version:
                yield Happening("updated", pod, f"bundle {name} {old.version} → {new.version}")
            if old and old.state != new.state and new.state not in ("running", "waiting"):
                yield Happening("failed", pod, f"bundle {name} {new.version} is {new.state}")
        for name in before.bundles[pod].keys() - bundles.keys():
            yield Happening("updated", pod, f"bundle {name} was removed")


def _lost(before: Observation, after: Observation) -> Iterator[Happening]:
    if before.lost is not None and after.lost is not None and after.lost > before.lost:
        yield Happening("lost", "samples", f"{after.lost - before.lost:,} lost, {after.lost:,} in all")
