"""The coordinator's overview of the demonstrator, for pages and programs.

The descriptions beside the types are those of the REST interface's document.
"""

from collections.abc import Sequence
from typing import Annotated, Literal, Protocol

from msgspec import Meta, Struct

from demonstrator.lib.feed import Feed
from demonstrator.model import ProducerMode, Statistics
from demonstrator.platform import Pod, local_service

# What the coordinator keeps in memory.
HISTORY_SECONDS = 180
MAX_EVENTS = 500

MIN_PRODUCERS, MAX_PRODUCERS = 1, 4
DEFAULT_UTILISATION, UTILISATION_STEP = 20, 5
TargetUtilisation = Annotated[int, Meta(ge=0, le=100, multiple_of=UTILISATION_STEP)]

ScalingRule = Literal["original", "predictive"]
# By a rule, or by people with `kubectl scale`.
ScalingPolicy = Literal["manual", "original", "predictive"]
EventKind = Literal["scaled", "set", "started", "moved", "ended", "failed", "recovered", "updated", "lost"]
# A rule, a person at the dashboard, or "" for what just happened.
Initiator = Literal["rule", "dashboard", ""]


class DataPoint(Struct, frozen=True):
    """One second of the demonstrator."""

    at: Annotated[float, Meta(description="seconds since the epoch")]
    utilisation: Annotated[float, Meta(description="how much of the queue's capacity is held, in percent")]
    produced: Annotated[float, Meta(description="samples offered to the queue, a second")]
    stored: Annotated[float, Meta(description="samples that reached the data store, a second")]
    refused: Annotated[float, Meta(description="samples that found the queue full, a second")]


class Accounting(Struct, frozen=True):
    """Balance of all samples of all queues since the first, counted in samples."""

    capacity: Annotated[int, Meta(description="of the queues that answer now; 0 when none does")]
    produced: Annotated[int, Meta(description="offered to a queue that answered")]
    stored: Annotated[int, Meta(description="reached a data store, and did not get lost with it")]
    queued: Annotated[int, Meta(description="waiting")]
    in_work: Annotated[int, Meta(description="taken by a processor and not yet confirmed by a data store")]
    refused: Annotated[int, Meta(description="offered while a queue was full")]
    lost: Annotated[int, Meta(description="held in the memory of a queue or a data store when that was killed")]


class Scale(Struct, frozen=True):
    """Number of pods requested, and of pods that are ready."""

    requested: int
    actual: int


class Scaling(Struct, frozen=True):
    """State of scaling and regulation."""

    rule: Annotated[
        ScalingPolicy, Meta(description="by which the number of processors is chosen; manual when people choose it")
    ]
    coordinator: Annotated[str, Meta(description='the pod that acts, of however many run; "" when none does')]
    preferred_utilisation: Annotated[int, Meta(description="in percent, what the producers' rate aims at")]
    producer_kind: Annotated[ProducerMode, Meta(description="how producers spread their batches over time")]
    processors: Annotated[Scale | None, Meta(description="null until Kubernetes has answered")]
    producers: Annotated[Scale | None, Meta(description="null until Kubernetes has answered")]


class Node(Struct, frozen=True):
    """A machine of the cluster, and whether Kubernetes places pods on it."""

    name: str
    ready: bool


class Event(Struct, frozen=True):
    """Something that has happened."""

    number: Annotated[int, Meta(description="counts up from 1 for as long as the coordinator lives")]
    at: Annotated[float, Meta(description="when it was seen, in seconds since the epoch")]
    kind: Annotated[EventKind, Meta(description="what sort of event it is")]
    subject: Annotated[str, Meta(description="the pod, node, controller or bundle that it happened to")]
    text: Annotated[str, Meta(description="what has happened, in words")]
    by: Annotated[Initiator, Meta(description="who asked for it")]


class Overview(Struct, frozen=True):
    """Everything at one moment."""

    now: Annotated[DataPoint, Meta(description="this second; the graphs' newest point")]
    accounting: Annotated[
        Accounting | None, Meta(description="what became of all samples; null while there never was a queue")
    ]
    statistics: Annotated[tuple[Statistics, ...], Meta(description="the figures of every component that answered")]
    pods: Annotated[tuple[Pod, ...], Meta(description="the pods of the namespace")]
    nodes: Annotated[tuple[Node, ...], Meta(description="the machines that they run on")]
    scaling: Annotated[Scaling, Meta(description="requested and actual numbers, and what they follow from")]


@local_service("inaetics.coordinator")
class Coordinator(Protocol):
    """Coordinator's service for the viewer in its own agent."""

    @property
    def feed(self) -> Feed[Overview]:
        """An overview every second, until the coordinator stops."""

    @property
    def history(self) -> Sequence[Overview]:
        """The last HISTORY_SECONDS overviews, oldest first."""

    @property
    def events(self) -> Sequence[Event]:
        """The last MAX_EVENTS events, oldest first."""
