"""Requests and responses of the REST interface, beside those of the coordinator's overview."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct

from demonstrator.model import ProducerMode
from demonstrator.model.overview import MAX_PRODUCERS, MIN_PRODUCERS, Event, Node, Overview, TargetUtilisation
from demonstrator.platform import Container, Pod


class ProducersChange(Struct, frozen=True, forbid_unknown_fields=True):
    """Number of producers to run."""

    producers: Annotated[int, Meta(ge=MIN_PRODUCERS, le=MAX_PRODUCERS)]


class ProducerModeChange(Struct, frozen=True, forbid_unknown_fields=True):
    """Distribution of the producers' batches over time."""

    producer_kind: ProducerMode


class UtilisationChange(Struct, frozen=True, forbid_unknown_fields=True):
    """The utilisation of the queue to aim at, in percent."""

    preferred_utilisation: TargetUtilisation


class ErrorResponse(Struct, frozen=True):
    """Why a request was not carried out."""

    error: str


class UtilisationPoint(Struct, frozen=True):
    """The queue at one moment: seconds since the epoch, and percent."""

    at: float
    utilisation: float


class Utilisation(Struct, frozen=True):
    """The queue's utilisation in percent: now, preferred, and over the last minutes."""

    utilisation: float | None
    preferred_utilisation: int
    history: tuple[UtilisationPoint, ...]


class PodInfo(Struct, frozen=True):
    """A pod with its containers."""

    name: str
    phase: str
    ready: bool
    address: str
    containers: tuple[Container, ...]


class NodeInfo(Struct, frozen=True):
    """A node with its pods."""

    name: Annotated[str, Meta(description='"" for pods that are not placed yet')]
    ready: Annotated[bool | None, Meta(description="whether it is Ready; null until Kubernetes has answered")]
    pods: Annotated[tuple[PodInfo, ...], Meta(description="the demonstrator's pods on it")]


class ClusterInfo(Struct, frozen=True):
    """Every node with its state and its containers."""

    nodes: tuple[NodeInfo, ...]


class EventList(Struct, frozen=True):
    """Events, oldest first."""

    events: tuple[Event, ...]


class Series(Struct, frozen=True):
    """A figure over time: one value for each moment, null where its component did not answer."""

    component: str
    pod: str
    name: str
    kind: Literal["counter", "gauge"]
    unit: str
    values: tuple[float | None, ...]


class Figures(Struct, frozen=True):
    """All figures over the last minutes."""

    at: Annotated[tuple[float, ...], Meta(description="the moments, in seconds since the epoch")]
    series: Annotated[tuple[Series, ...], Meta(description="one for each figure")]


def utilisation(overviews: Iterable[Overview], preferred: int) -> Utilisation:
    """Return the queue's utilisation over time."""
    history = tuple(UtilisationPoint(overview.now.at, overview.now.utilisation) for overview in overviews)
    return Utilisation(history[-1].utilisation if history else None, preferred, history)


def cluster_info(nodes: Iterable[Node], pods: Iterable[Pod]) -> ClusterInfo:
    """Return the pods by node; a node that only pods name has no state."""
    ready: dict[str, bool | None] = {node.name: node.ready for node in nodes}
    placed: dict[str, list[PodInfo]] = {name: [] for name in ready}
    for pod in pods:
        info = PodInfo(pod.name, pod.phase, pod.ready, pod.address, pod.containers)
        placed.setdefault(pod.node, []).append(info)
    return ClusterInfo(tuple(NodeInfo(name, ready.get(name), tuple(placed[name])) for name in sorted(placed)))


def figures(overviews: Sequence[Overview]) -> Figures:
    """Return one series for each figure of these overviews."""
    columns: dict[tuple[str, str, str, Literal["counter", "gauge"], str], list[float | None]] = {}
    for index, overview in enumerate(overviews):
        for item in overview.statistics:
            for figure in item.metrics:
                key = (item.component, item.pod, figure.name, figure.kind, figure.unit)
                columns.setdefault(key, [None] * len(overviews))[index] = figure.value
    series = tuple(Series(*key, tuple(values)) for key, values in sorted(columns.items()))
    return Figures(tuple(overview.now.at for overview in overviews), series)
