"""What the coordinator knows of the whole demonstrator, for pages to show."""

from dataclasses import dataclass
from typing import Literal, Protocol

from demonstrator.model.samples import Accounting, ProducerMode, Statistics
from demonstrator.platform import Pod, local_service


@dataclass(frozen=True, slots=True)
class Point:
    """One second of the demonstrator.

    Attributes:
        at: seconds since the epoch.
        utilisation: how much of the queue's capacity is held, in percent.
        produced: samples offered to the queue, a second.
        stored: samples that reached the data store, a second.
        refused: samples that found the queue full, a second.
    """

    at: float
    utilisation: float
    produced: float
    stored: float
    refused: float


ScalingRule = Literal["original", "predictive"]
# By a rule, or by whoever says `kubectl scale`.
ScalingPolicy = Literal["manual", "original", "predictive"]


@dataclass(frozen=True, slots=True)
class Scale:
    """How many pods are asked for, and how many are there and ready."""

    requested: int
    actual: int


@dataclass(frozen=True, slots=True)
class Scaling:
    """What the coordinators steer.

    Attributes:
        rule: by which the number of processors is chosen; manual when people choose it.
        coordinator: the pod that acts, of however many run; "" when none does.
        preferred_utilisation: in percent, what the producers' rate aims at.
        producer_kind: how producers spread their batches over time.
        processors: None while Kubernetes has not told.
        producers: None while Kubernetes has not told.
    """

    rule: ScalingPolicy
    coordinator: str
    preferred_utilisation: int
    producer_kind: ProducerMode
    processors: Scale | None
    producers: Scale | None


@dataclass(frozen=True, slots=True)
class Node:
    """A machine of the cluster, and whether Kubernetes places pods on it."""

    name: str
    ready: bool


EventKind = Literal["scaled", "set", "started", "moved", "ended", "failed", "recovered", "updated", "lost"]
# Who asked for it: a rule, a person at the dashboard, or "" for what just happened.
Initiator = Literal["rule", "dashboard", ""]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that has happened.

    Attributes:
        number: counts up from 1 for as long as the coordinator lives.
        at: when it was seen, in seconds since the epoch.
        kind: what sort of event it is.
        subject: the pod, node, controller or bundle that it happened to.
        text: what has happened, in words.
        by: who asked for it.
    """

    number: int
    at: float
    kind: EventKind
    subject: str
    text: str
    by: Initiator


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything at one moment.

    Attributes:
        now: this second; the graphs' newest point.
        accounting: what became of all samples; None while no queue was ever seen.
        statistics: the figures of every component that answered.
        pods: the pods of the namespace.
        nodes: the machines that they run on.
        scaling: requested and actual numbers, and what they follow from.
    """

    now: Point
    accounting: Accounting | None
    statistics: tuple[Statistics, ...]
    pods: tuple[Pod, ...]
    nodes: tuple[Node, ...]
    scaling: Scaling


@local_service("inaetics.coordinator")
class Coordinator(Protocol):
    """Gathers what all components tell."""

    def history(self) -> tuple[Point, ...]:
        """The last minutes, second by second, oldest first."""

    def events(self, after: int) -> tuple[Event, ...]:
        """What has happened since the event of that number, oldest first; 0 for all that is kept."""

    async def next(self) -> Overview:
        """The next overview: there is one every second."""
