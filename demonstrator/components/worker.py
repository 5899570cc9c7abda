"""The processor's loop: take, work, store, settle, with the next batches fetched meanwhile."""

import asyncio
import logging
import time
from collections.abc import Callable

from demonstrator.model.samples import Batch, Result
from demonstrator.remote import RemoteError
from demonstrator.services.data_path import DataStore, Processor, Queue

MOST = 50
# Well within the queue's lease of 5 s: a result that is later than this is somebody else's by now.
GIVE_UP_SECONDS = 4.0

_WAIT_SECONDS = 1.0
_RETRY_SECONDS = 0.2
_AHEAD = 2

# A batch, the queue that lent it, and when it is too late to deliver its result.
_Borrowed = tuple[Batch, str, float]
# A result, and when it is too late to deliver it.
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
        """Work until told to finish; when cancelled, what is in hand goes back as its lease ends."""
        taken: asyncio.Queue[_Borrowed | None] = asyncio.Queue(maxsize=1)
        results: asyncio.Queue[_Finished | None] = asyncio.Queue(maxsize=_AHEAD)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._fetch(queue, taken))
            tasks.create_task(self._work(taken, results))
            tasks.create_task(self._deliver(queue, store, results))

    def finish(self) -> None:
        """Take nothing more: `run` returns once everything in hand is delivered or too late."""
        self._finishing = True

    async def _fetch(self, queue: Queue, taken: asyncio.Queue[_Borrowed | None]) -> None:
        number = self._takes
        while not self._finishing:
            until = self._clock() + GIVE_UP_SECONDS
            try:
                lent = await queue.take(self._name, number, MOST, _WAIT_SECONDS)
            except RemoteError as error:
                _logger.warning("the queue does not answer: %s", error)
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            self._takes = number = number + 1
            for batch in lent.batches:
                await taken.put((batch, lent.queue, until))
        await taken.put(None)

    async def _work(self, taken: asyncio.Queue[_Borrowed | None], results: asyncio.Queue[_Finished | None]) -> None:
        while borrowed := await taken.get():
            batch, queue, until = borrowed
            if self._clock() < until:
                await results.put((await self._processor.process(batch, queue), until))
                self.processed += len(batch)
        await results.put(None)

    async def _deliver(self, queue: Queue, store: DataStore, results: asyncio.Queue[_Finished | None]) -> None:
        while finished := await results.get():
            result, until = finished
            while self._clock() < until:
                try:
                    kept = await store.put(result)
                    await queue.settle((result.batch.id,), kept.store)
                    break
                except RemoteError as error:
                    _logger.warning("a result cannot be delivered: %s", error)
                    await asyncio.sleep(_RETRY_SECONDS)
