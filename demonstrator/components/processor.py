"""The processor as a component: works for every queue there is, one batch after the other."""

import asyncio
import logging
import time
from typing import Any

from pelix.ipopo.decorators import BindField, Invalidate, Provides, Requires, UnbindField, Validate

from demonstrator.model import SECONDS_PER_SAMPLE, Batch, Metric, Result, Statistics, new_id
from demonstrator.platform import Drainable, Runtime
from demonstrator.remote import RemoteError
from demonstrator.services import DataStore, Queue, StatsProvider

MAX_SAMPLES = 50
# Within the queue's LEASE_SECONDS: a batch that is later has another consumer by now.
DELIVERY_SECONDS = 4.0

# At a time, of each queue: while one is processed, the next is fetched and the last delivered.
_BATCHES = 3
_WAIT_SECONDS = 1.0
_RETRY_SECONDS = 0.2
# A batch that comes within this time of its predecessor's end was there before: late timers are made up for.
_SLACK_SECONDS = 0.05

_logger = logging.getLogger(__name__)


@Provides([StatsProvider, Drainable])
@Requires("_runtime", Runtime)
@Requires("_queues", Queue, aggregate=True)
@Requires("_store", DataStore)
class ProcessorService:
    """The base of the processors' components: empties every queue, also two while one replaces the other."""

    _runtime: Runtime
    _queues: list[Queue]
    _store: DataStore

    def __init__(self) -> None:
        self.name = ""
        self.processed = 0
        self._done_at = -_SLACK_SECONDS
        self._draining = False
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._clock = asyncio.get_running_loop().time

    @Validate
    def start(self, _context: object) -> None:
        """Work for each queue."""
        self.name = self._runtime.identity.pod
        for queue in self._queues:
            self._work_for(queue)

    @Invalidate
    def stop(self, _context: object) -> None:
        """Stop work: the last queue or the data store is gone."""
        for task in self._tasks.values():
            task.cancel()
        self._tasks.clear()

    @BindField("_queues", if_valid=True)
    def queue_added(self, _field: str, queue: Queue, _reference: Any) -> None:
        """Work for one more queue."""
        self._work_for(queue)

    @UnbindField("_queues", if_valid=True)
    def queue_removed(self, _field: str, queue: Queue, _reference: Any) -> None:
        """Stop work for a queue that is gone."""
        self._tasks.pop(id(queue)).cancel()

    async def drain(self) -> None:
        """See Drainable.drain: take nothing more, and return when everything pending is delivered or too late."""
        self._draining = True
        # The runtime reports a task that fails.
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def statistics(self) -> Statistics:
        """Return the number of processed samples."""
        metrics = (Metric("processed", "counter", "samples", self.processed),)
        return Statistics("processor", self._runtime.identity.pod, metrics)

    async def run(self, queue: Queue, store: DataStore) -> None:
        """Work for a queue; when cancelled, pending batches return to it as their leases end."""
        taking = asyncio.Lock()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(_BATCHES):
                tasks.create_task(self._move(queue, store, taking))

    def work(self, values: tuple[float, ...]) -> tuple[float, ...]:
        """Turn a batch's values into results: the identity, unless a subclass has other work."""
        return values

    async def process(self, batch: Batch, queue: str) -> Result:
        """Work on a batch that this queue has leased, for a time that is waited for, not computed."""
        now = self._clock()
        began = self._done_at if now - self._done_at < _SLACK_SECONDS else now
        self._done_at = began + SECONDS_PER_SAMPLE * len(batch)
        await asyncio.sleep(self._done_at - self._clock())
        self.processed += len(batch)
        processed = Batch(batch.source, batch.first, batch.created_at, self.work(batch.values))
        return Result(processed, queue, self.name, time.time())

    def _work_for(self, queue: Queue) -> None:
        self._tasks[id(queue)] = self._runtime.spawn(self.run(queue, self._store), "processor")

    async def _move(self, queue: Queue, store: DataStore, taking: asyncio.Lock) -> None:
        # A name of its own, since it counts its takes from 0.
        consumer, takes = new_id(self.name), 0
        while True:
            async with taking:
                if self._draining:
                    return
                deadline = self._clock() + DELIVERY_SECONDS
                try:
                    delivery = await queue.take(consumer, takes, MAX_SAMPLES, _WAIT_SECONDS)
                except RemoteError as error:
                    _logger.warning("the queue does not answer: %s", error)
                    await asyncio.sleep(_RETRY_SECONDS)
                    continue
            takes += 1
            for batch in delivery.batches:
                # What would be done too late is not begun.
                if max(self._clock(), self._done_at) + SECONDS_PER_SAMPLE * len(batch) < deadline:
                    await self._deliver(await self.process(batch, delivery.queue), queue, store, deadline)

    async def _deliver(self, result: Result, queue: Queue, store: DataStore, deadline: float) -> None:
        while self._clock() < deadline:
            try:
                stored = await store.put(result)
                await queue.ack((result.batch.id,), stored.store)
            except RemoteError as error:
                _logger.warning("a result cannot be delivered: %s", error)
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                return
