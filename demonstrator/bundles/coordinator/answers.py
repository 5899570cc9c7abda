"""What the REST interface takes and gives, beside what the coordinator's overview is made of."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Struct

from demonstrator.bundles.coordinator.conductor import FEWEST_PRODUCERS, MOST_PRODUCERS
from demonstrator.bundles.coordinator.openapi import Limits
from demonstrator.bundles.coordinator.regulator import PREFERENCE_STEP
from demonstrator.model.overview import Event, Node, Point
from demonstrator.model.samples import ProducerMode, Statistics
from demonstrator.platform.spi import Container, Pod


class ProducersChange(Struct, frozen=True, forbid_unknown_fields=True):
    """How many producers there shall be."""

    producers: Annotated[int, Limits(FEWEST_PRODUCERS, MOST_PRODUCERS)]


class ProducerModeChange(Struct, frozen=True, forbid_unknown_fields=True):
    """How the producers spread their batches over time."""

    producer_kind: ProducerMode


class PreferenceChange(Struct, frozen=True, forbid_unknown_fields=True):
    """The utilisation of the queue to aim at, in percent."""

    preferred_utilisation: Annotated[int, Limits(0, 100, PREFERENCE_STEP)]


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    """Why a request was not carried out."""

    error: str


@dataclass(frozen=True, slots=True)
class UtilisationPoint:
    """The queue at one moment: seconds since the epoch, and percent."""

    at: float
    utilisation: float


@dataclass(frozen=True, slots=True)
class Utilisation:
    """The queue's utilisation in percent: now, preferred, and over the last minutes."""

    utilisation: float | None
    preferred_utilisation: int
    history: tuple[UtilisationPoint, ...]


@dataclass(frozen=True, slots=True)
class PodInfo:
    """A pod with its containers."""

    name: str
    phase: str
    ready: bool
    address: str
    containers: tuple[Container, ...]


@dataclass(frozen=True, slots=True)
class NodeInfo:
    """A node with its pods.

    Attributes:
        name: "" for pods that are not placed yet.
        ready: whether it is Ready; null while Kubernetes has not told.
        pods: the demonstrator's pods on it.
    """

    name: str
    ready: bool | None
    pods: tuple[PodInfo, ...]


@dataclass(frozen=True, slots=True)
class ClusterInfo:
    """Every node with its state and its containers."""

    nodes: tuple[NodeInfo, ...]


@dataclass(frozen=True, slots=True)
class EventList:
    """What has happened, oldest first."""

    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Series:
    """A figure over time: one value for each moment, null where its component did not answer."""

    component: str
    pod: str
    name: str
    kind: Literal["counter", "gauge"]
    unit: str
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """All figures over the last minutes.

    Attributes:
        at: the moments, in seconds since the epoch.
        series: a figure each.
    """

    at: tuple[float, ...]
    series: tuple[Series, ...]


def utilisation(history: Sequence[Point], preferred: int) -> Utilisation:
    """The queue over time."""
    points = tuple(UtilisationPoint(point.at, point.utilisation) for point in history)
    return Utilisation(points[-1].utilisation if points else None, preferred, points)


def cluster_info(nodes: Iterable[Node], pods: Iterable[Pod]) -> ClusterInfo:
    """Pods by node; a node that only its pods tell of has no state."""
    ready: dict[str, bool | None] = {node.name: node.ready for node in nodes}
    placed: dict[str, list[PodInfo]] = {name: [] for name in ready}
    for pod in pods:
        info = PodInfo(pod.name, pod.phase, pod.ready, pod.address, pod.containers)
        placed.setdefault(pod.node, []).append(info)
    return ClusterInfo(tuple(NodeInfo(name, ready.get(name), tuple(placed[name])) for name in sorted(placed)))


def figures(seen: Sequence[tuple[float, Sequence[Statistics]]]) -> Figures:
    """Figures, second by second, as one series each."""
    columns: dict[tuple[str, str, str, Literal["counter", "gauge"], str], list[float | None]] = {}
    for index, (_, statistics) in enumerate(seen):
        for item in statistics:
            for figure in item.figures:
                key = (item.component, item.pod, figure.name, figure.kind, figure.unit)
                columns.setdefault(key, [None] * len(seen))[index] = figure.value
    series = tuple(Series(*key, tuple(values)) for key, values in sorted(columns.items()))
    return Figures(tuple(at for at, _ in seen), series)
