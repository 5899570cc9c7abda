"""Asks every component once a second and keeps the last minutes."""

import asyncio
import time
from collections import deque
from collections.abc import Coroutine, Sequence
from typing import Any, Protocol, TypeVar

from demonstrator.bundles.coordinator.books import Books, Seen
from demonstrator.bundles.coordinator.rates import Rates
from demonstrator.model.overview import Node, Overview, Point, Scaling
from demonstrator.model.samples import QueueLedger
from demonstrator.platform.spi import PodDirectory
from demonstrator.remote import RemoteError
from demonstrator.services.data_path import DataStore, Producer, Queue, StatsProvider

HISTORY_SECONDS = 180

_INTERVAL = 1.0
# Who answers later than this is missing from one overview; the others are not held up.
_PATIENCE = 0.8
# Phases of a pod whose memory is gone or about to go.
_ENDED = ("Terminating", "Succeeded", "Failed")

_T = TypeVar("_T")


class Sources(Protocol):
    """Whom to ask, as it is at this moment."""

    @property
    def queues(self) -> Sequence[Queue]:
        """All queues."""

    @property
    def stores(self) -> Sequence[DataStore]:
        """All data stores."""

    @property
    def producers(self) -> Sequence[Producer]:
        """All producers."""

    @property
    def providers(self) -> Sequence[StatsProvider]:
        """Everything that has figures."""

    @property
    def directory(self) -> PodDirectory:
        """The pods."""

    def nodes(self) -> tuple[Node, ...]:
        """The machines of the cluster."""

    def scaling(self) -> Scaling:
        """Requested and actual numbers of what is scaled."""


class Gatherer:
    """The coordinator's eyes."""

    def __init__(self, sources: Sources, books: Books) -> None:
        self._sources = sources
        self._books = books
        self._rates = Rates()
        self._history: deque[Point] = deque(maxlen=HISTORY_SECONDS)
        self._next: asyncio.Future[Overview] = asyncio.get_running_loop().create_future()

    def history(self) -> tuple[Point, ...]:
        """See Coordinator.history."""
        return tuple(self._history)

    async def next(self) -> Overview:
        """See Coordinator.next."""
        return await asyncio.shield(self._next)

    async def run(self) -> None:
        """Gather until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            started = loop.time()
            overview = await self._gather()
            self._history.append(overview.now)
            told, self._next = self._next, loop.create_future()
            told.set_result(overview)
            await asyncio.sleep(max(0.0, started + _INTERVAL - loop.time()))

    async def _gather(self) -> Overview:
        ledgers, stores, receipts, statistics = await asyncio.gather(
            _ask([queue.ledger() for queue in self._sources.queues]),
            _ask([store.ledger() for store in self._sources.stores]),
            _ask([producer.receipts() for producer in self._sources.producers]),
            _ask([provider.statistics() for provider in self._sources.providers]),
        )
        pods = self._sources.directory.pods()
        living = {pod.name for pod in pods if pod.phase not in _ENDED}
        now = time.time()
        return Overview(
            now=Point(now, _utilisation(ledgers), *self._rates.add(now, ledgers)),
            accounting=self._books.observe(Seen(ledgers, stores, receipts, living)),
            statistics=tuple(sorted(statistics, key=lambda item: (item.component, item.pod))),
            pods=pods,
            nodes=self._sources.nodes(),
            scaling=self._sources.scaling(),
        )


async def _ask(questions: Sequence[Coroutine[Any, Any, _T]]) -> list[_T]:
    """The answers that come in time."""
    if not questions:
        return []
    tasks = [asyncio.create_task(question) for question in questions]
    done, late = await asyncio.wait(tasks, timeout=_PATIENCE)
    for task in late:
        task.cancel()
    answers = []
    for task in done:
        try:
            answers.append(task.result())
        except RemoteError:
            continue
    return answers


def _utilisation(ledgers: Sequence[QueueLedger]) -> float:
    if not ledgers:
        return 0.0
    held = sum(ledger.queued + ledger.in_work for ledger in ledgers)
    return 100 * held / sum(ledger.capacity for ledger in ledgers)
