"""Collects one snapshot of the demonstrator: the components' answers, and what the watches know."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from demonstrator.bundles.coordinator.accounting import ObservedCounters
from demonstrator.bundles.coordinator.watches import BundleWatch, ControllerWatch, NodeWatch, PodBundles, ScaleRequest
from demonstrator.model import Statistics
from demonstrator.model.overview import DEFAULT_UTILISATION, Accounting, Node, Scaling
from demonstrator.platform import Pod, PodDirectory
from demonstrator.remote import RemoteError
from demonstrator.services import DataStore, Producer, Queue, StatsProvider

# A component that answers later is missing from one snapshot; the others are not held up.
_TIMEOUT = 0.8
# Phases of a pod whose memory is gone or about to go.
_ENDED = ("Terminating", "Succeeded", "Failed")

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The demonstrator at one moment.

    Attributes:
        at: seconds since the epoch.
        clock: the monotonic clock, in seconds: what differences of time are measured by.
        counters: what queues, data stores and producers have counted.
        statistics: the figures of every component that answered.
        scaling: requested and actual numbers, and what they follow from.
        pods: the pods of the namespace.
        nodes: the nodes of the cluster.
        replicas: the pods that each replication controller is to have.
        requests: the last request that this coordinator has made of each controller.
        bundles: what each pod's agent has reported.
        accounting: what became of all samples; None when there never was a queue.
    """

    at: float = 0.0
    clock: float = 0.0
    counters: ObservedCounters = field(default_factory=ObservedCounters)
    statistics: tuple[Statistics, ...] = ()
    scaling: Scaling = field(
        default_factory=lambda: Scaling("manual", "", DEFAULT_UTILISATION, "periodic", processors=None, producers=None)
    )
    pods: tuple[Pod, ...] = ()
    nodes: tuple[Node, ...] = ()
    replicas: Mapping[str, int] = field(default_factory=dict)
    requests: Mapping[str, ScaleRequest] = field(default_factory=dict)
    bundles: PodBundles = field(default_factory=dict)
    accounting: Accounting | None = None


class Collector:
    """Makes snapshots."""

    def __init__(
        self,
        directory: PodDirectory,
        controllers: ControllerWatch,
        nodes: NodeWatch,
        bundles: BundleWatch,
        clocks: tuple[Callable[[], float], Callable[[], float]] = (time.time, time.monotonic),
    ) -> None:
        self._directory = directory
        self._controllers = controllers
        self._nodes = nodes
        self._bundles = bundles
        self._wall_clock, self._clock = clocks

    async def collect(
        self,
        queues: Sequence[Queue],
        stores: Sequence[DataStore],
        producers: Sequence[Producer],
        providers: Sequence[StatsProvider],
        scaling: Callable[[], Scaling],
    ) -> Snapshot:
        """Ask all components at once, and return what they answer in time."""
        queue_ledgers, store_ledgers, receipts, statistics = await asyncio.gather(
            call_all([queue.ledger() for queue in queues], _TIMEOUT),
            call_all([store.ledger() for store in stores], _TIMEOUT),
            call_all([producer.receipts() for producer in producers], _TIMEOUT),
            call_all([provider.statistics() for provider in providers], _TIMEOUT),
        )
        pods = self._directory.pods()
        living = {pod.name for pod in pods if pod.phase not in _ENDED}
        return Snapshot(
            at=self._wall_clock(),
            clock=self._clock(),
            counters=ObservedCounters(queue_ledgers, store_ledgers, receipts, living),
            statistics=tuple(sorted(statistics, key=lambda item: (item.component, item.pod))),
            scaling=scaling(),
            pods=pods,
            nodes=self._nodes.nodes,
            replicas={name: scale.requested for name, scale in self._controllers.scales.items()},
            requests=dict(self._controllers.requests),
            bundles=self._bundles.bundles,
        )


async def call_all(calls: Iterable[Coroutine[Any, Any, _T]], seconds: float) -> list[_T]:
    """Make remote calls side by side, and return the results that come in time."""
    tasks = [asyncio.create_task(call) for call in calls]
    if not tasks:
        return []
    done, late = await asyncio.wait(tasks, timeout=seconds)
    for task in late:
        task.cancel()
    results = []
    for task in done:
        try:
            results.append(task.result())
        except RemoteError:
            continue
    return results
