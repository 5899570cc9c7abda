"""The processor's loop: take, process, store, acknowledge, with the next batches fetched meanwhile."""

import asyncio
import logging
import time
from collections.abc import Callable

from demonstrator.model import Batch, Result
from demonstrator.remote import RemoteError
from demonstrator.services import DataStore, Processor, Queue

MAX_SAMPLES = 50
# Within the queue's LEASE_SECONDS: a batch that is later has another consumer by now.
DELIVERY_DEADLINE = 4.0

_WAIT_SECONDS = 1.0
_RETRY_SECONDS = 0.2
_PREFETCH = 2

# A batch, the queue that leased it, and the deadline of its delivery.
_Leased = tuple[Batch, str, float]
# A result, and the deadline of its delivery.
_Finished = tuple[Result, float]

_logger = logging.getLogger(__name__)


class Worker:
    """Moves batches from the queue through a processor into the data store."""

    def __init__(self, name: str, processor: Processor, clock: Callable[[], float] = time.monotonic) -> None:
        self.processed = 0
        self._name = name
        self._processor = processor
        self._clock = clock
        self._takes = 0
        self._finishing = False

    async def run(self, queue: Queue, store: DataStore) -> None:
        """Work until `finish` is called; when cancelled, pending batches return to the queue as their leases end."""
        leased: asyncio.Queue[_Leased | None] = asyncio.Queue(maxsize=1)
        results: asyncio.Queue[_Finished | None] = asyncio.Queue(maxsize=_PREFETCH)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._fetch(queue, leased))
            tasks.create_task(self._process(leased, results))
            tasks.create_task(self._deliver(queue, store, results))

    def finish(self) -> None:
        """Take nothing more: `run` returns once everything pending is delivered or too late."""
        self._finishing = True

    async def _fetch(self, queue: Queue, leased: asyncio.Queue[_Leased | None]) -> None:
        while not self._finishing:
            deadline = self._clock() + DELIVERY_DEADLINE
            try:
                delivery = await queue.take(self._name, self._takes, MAX_SAMPLES, _WAIT_SECONDS)
            except RemoteError as error:
                _logger.warning("the queue does not answer: %s", error)
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            self._takes += 1
            for batch in delivery.batches:
                await leased.put((batch, delivery.queue, deadline))
        await leased.put(None)

    async def _process(self, leased: asyncio.Queue[_Leased | None], results: asyncio.Queue[_Finished | None]) -> None:
        while item := await leased.get():
            batch, queue, deadline = item
            if self._clock() < deadline:
                await results.put((await self._processor.process(batch, queue), deadline))
                self.processed += len(batch)
        await results.put(None)

    async def _deliver(self, queue: Queue, store: DataStore, results: asyncio.Queue[_Finished | None]) -> None:
        while item := await results.get():
            result, deadline = item
            while self._clock() < deadline:
                try:
                    stored = await store.put(result)
                    await queue.ack((result.batch.id,), stored.store)
                    break
                except RemoteError as error:
                    _logger.warning("a result cannot be delivered: %s", error)
                    await asyncio.sleep(_RETRY_SECONDS)
