"""The log of what has happened, found by comparing one snapshot with the next."""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count

from demonstrator.bundles.coordinator.watches import PodBundles, ScaleRequest
from demonstrator.model.overview import MAX_EVENTS, DataPoint, Event, EventKind, Initiator, Node, Overview, Scaling
from demonstrator.platform import Container, Pod
from demonstrator.platform.manifest import BundleState

TERMINATING = "Terminating"
# A container waits for these at every start.
_USUAL = ("", "ContainerCreating", "PodInitializing")
_NOTHING = Overview(DataPoint(0, 0, 0, 0, 0), None, (), (), (), Scaling("manual", "", 0, "periodic", None, None))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The demonstrator at one moment: what pages show, and by controller and pod what else the watches know."""

    overview: Overview = _NOTHING
    replicas: Mapping[str, int] = field(default_factory=dict)
    requests: Mapping[str, ScaleRequest] = field(default_factory=dict)
    bundles: PodBundles = field(default_factory=dict)


class EventLog:
    """The last events, oldest first, numbered from 1."""

    def __init__(self) -> None:
        self.events: deque[Event] = deque(maxlen=MAX_EVENTS)
        self._numbers = count(1)
        self._last = Snapshot()
        # The pods that have been ready since they came, and those that have ended and were not replaced yet.
        self._ready: set[str] = set()
        self._gone: list[Pod] = []

    def update(self, after: Snapshot) -> None:
        """Append what has happened since the last snapshot."""
        # A source that was empty before has not changed: its first content is where things start.
        before, self._last = self._last, after
        old, new = before.overview, after.overview
        self._compare_scaling(old.scaling, new.scaling)
        self._compare_replicas(before, after)
        if old.nodes:
            self._compare_nodes(old.nodes, new.nodes)
        if old.pods:
            self._compare_pods({pod.name: pod for pod in old.pods}, {pod.name: pod for pod in new.pods})
        self._ready |= {pod.name for pod in new.pods if pod.ready}
        self._ready &= {pod.name for pod in new.pods}
        for pod, bundles in after.bundles.items():
            if pod in before.bundles:
                self._compare_bundles(pod, before.bundles[pod], bundles)
        if old.accounting and new.accounting and new.accounting.lost > old.accounting.lost:
            total = new.accounting.lost
            self._tell("lost", "samples", f"{total - old.accounting.lost:,} lost, {total:,} in total")

    def _tell(self, kind: EventKind, subject: str, text: str, by: Initiator = "") -> None:
        self.events.append(Event(next(self._numbers), self._last.overview.now.at, kind, subject, text, by))

    def _compare_scaling(self, old: Scaling, new: Scaling) -> None:
        if new.coordinator not in ("", old.coordinator):
            instead = f", instead of {old.coordinator}" if old.coordinator else ""
            self._tell("moved" if instead else "started", new.coordinator, f"acts as the coordinator{instead}")
        elif old.coordinator:
            if new.preferred_utilisation != old.preferred_utilisation:
                text = f"{old.preferred_utilisation} → {new.preferred_utilisation} %"
                self._tell("set", "preferred utilisation", text, "dashboard")
            if new.producer_kind != old.producer_kind:
                self._tell("set", "producers", f"{old.producer_kind} → {new.producer_kind}", "dashboard")

    def _compare_replicas(self, before: Snapshot, after: Snapshot) -> None:
        scaled = {name for name, number in after.replicas.items() if before.replicas.get(name, number) != number}
        # What comes after scaling, or of a controller that is gone, replaces nothing.
        self._gone = [pod for pod in self._gone if _controller(pod) in after.replicas.keys() - scaled]
        for name in sorted(scaled):
            replicas, request = after.replicas[name], after.requests.get(name)
            text = f"{before.replicas[name]} → {replicas} replicas"
            if request is None or request.replicas != replicas:
                self._tell("scaled", name, f"{text}, requested from outside the dashboard")
            else:
                self._tell("scaled", name, f"{text}: {request.why}" if request.why else text, request.by)

    def _compare_nodes(self, before: tuple[Node, ...], after: tuple[Node, ...]) -> None:
        old, new = ({node.name: node.ready for node in nodes} for nodes in (before, after))
        for name in sorted(old.keys() | new.keys()):
            if name not in new:
                self._tell("ended", name, "left the cluster")
            elif name not in old:
                self._tell("started", name, "joined the cluster")
            elif old[name] and not new[name]:
                self._tell("failed", name, "is NotReady")
            elif new[name] and not old[name]:
                self._tell("recovered", name, "is Ready again")

    def _compare_pods(self, old: Mapping[str, Pod], new: Mapping[str, Pod]) -> None:
        for name, pod in old.items():
            ends = name not in new or new[name].phase == TERMINATING
            if ends and pod.phase != TERMINATING:
                self._gone.append(pod)
                self._tell("ended", name, f"ends on {pod.node}" if pod.node else "ends before it was placed")
        for name, pod in new.items():
            if pod.phase != TERMINATING:
                self._compare_pod(old.get(name), pod)

    def _compare_pod(self, old: Pod | None, new: Pod) -> None:
        restarted = list(_restarts(old, new))
        for text in restarted:
            self._tell("failed", new.name, text)
        if new.ready and new.name not in self._ready:
            self._tell_arrival(new)
        elif old and new.ready and not old.ready:
            self._tell("recovered", new.name, "is ready again")
        elif old and old.ready and not new.ready and not restarted:
            self._tell("failed", new.name, f"is not ready any more on {new.node}")
        if new.phase == "Failed" and (old is None or old.phase != "Failed"):
            self._tell("failed", new.name, f"failed on {new.node}")

    def _tell_arrival(self, pod: Pod) -> None:
        replaced = next((other for other in self._gone if _controller(other) == _controller(pod)), None)
        if replaced:
            self._gone.remove(replaced)
        if replaced and replaced.node not in ("", pod.node):
            self._tell("moved", pod.name, f"runs on {pod.node}, instead of {replaced.name} on {replaced.node}")
        else:
            self._tell("started", pod.name, f"runs on {pod.node}")

    def _compare_bundles(self, pod: str, before: Mapping[str, BundleState], after: Mapping[str, BundleState]) -> None:
        for name, new in after.items():
            old = before.get(name)
            if old is None:
                self._tell("updated", pod, f"has got bundle {name} {new.version}")
            elif old.version != new.version:
                self._tell("updated", pod, f"bundle {name} {old.version} → {new.version}")
            if old and old.state != new.state and new.state not in ("running", "waiting"):
                self._tell("failed", pod, f"bundle {name} {new.version} is {new.state}")
        for name in before.keys() - after.keys():
            self._tell("updated", pod, f"bundle {name} was removed")


def _controller(pod: Pod) -> str:
    """Return the name of the replication controller that made a pod."""
    return pod.name.rpartition("-")[0]


def _restarts(old: Pod | None, new: Pod) -> Iterator[str]:
    """Yield the containers that were restarted, or that cannot start, in words."""
    known = {container.name: container for container in old.containers} if old else {}
    for container in new.containers:
        earlier = known.get(container.name, Container(container.name, "", "", 0))
        if container.restarts > earlier.restarts:
            reason = f", {container.reason}" if container.reason else ""
            yield f"{container.name} was restarted ({container.restarts}{reason})"
        elif _stuck(container) and not _stuck(earlier):
            yield f"{container.name} waits: {container.reason}"


def _stuck(container: Container) -> bool:
    return container.state == "waiting" and container.reason not in _USUAL
