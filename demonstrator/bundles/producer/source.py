"""The source of samples: numbered batches, each offered until a queue has answered."""

import asyncio
import logging
import math
import time
from collections import OrderedDict

from demonstrator.model import MAX_REPORTED_QUEUES, Batch, ProducerMode, PutResult, PutTotals
from demonstrator.remote import RemoteError
from demonstrator.services import Queue

# Until the coordinator sets another one: between what one processor (333 per second) and two can process.
DEFAULT_RATE = 500.0
BATCH_SIZE = 50
# Number of batches that are made at once, by mode; the pause after them keeps the rate.
BATCHES_AT_ONCE: dict[ProducerMode, int] = {"periodic": 1, "burst": 10}

_RETRY_SECONDS = 0.2
# Of the sine wave, in samples.
_PERIOD = 1_000

_logger = logging.getLogger(__name__)


class Pacer:
    """Waits until the next batch is due, for a mean of `rate` samples per second."""

    def __init__(self, rate: float, kind: ProducerMode, batch_size: int) -> None:
        self.rate = rate
        self.kind = kind
        self._batch_size = batch_size
        self._made_at_once = 0
        self._began = -math.inf
        self._changed = asyncio.Event()

    def set_rate(self, rate: float) -> None:
        """Change the rate, also in the middle of a pause; 0 makes nothing."""
        if rate != self.rate:
            self.rate = rate
            self._changed.set()

    async def due(self) -> None:
        """Wait until the next batch is due, at the rate of that moment."""
        if not (self.rate and 0 < self._made_at_once < BATCHES_AT_ONCE[self.kind]):
            await self._pause()
            self._made_at_once = 0
        self._made_at_once += 1

    async def _pause(self) -> None:
        clock = asyncio.get_running_loop().time
        made = self._made_at_once * self._batch_size
        while True:
            self._changed.clear()
            interval = made / self.rate if self.rate else math.inf
            now, due = clock(), self._began + interval
            left = due - now
            if left <= 0:
                # A delay shorter than a pause is made up for by the next one; a longer one is not.
                self._began = due if -left < interval else now
                return
            try:
                async with asyncio.timeout(left if self.rate else None):
                    await self._changed.wait()
            except TimeoutError:
                continue


class SampleSource:
    """Makes samples, in batches numbered from 0, and offers each until the queue has answered.

    `pacer` decides when. While a batch waits for its answer, no other one is made.
    """

    def __init__(
        self, source: str, rate: float = DEFAULT_RATE, kind: ProducerMode = "periodic", batch_size: int = BATCH_SIZE
    ) -> None:
        self.pacer = Pacer(rate, kind, batch_size)
        self.produced = 0
        self.accepted = 0
        self.refused = 0
        self._source = source
        self._batch_size = batch_size
        self._pending: Batch | None = None
        self._answers: OrderedDict[str, PutResult] = OrderedDict()

    async def run(self, queue: Queue) -> None:
        """Produce into this queue until cancelled; a pending batch is offered to the next queue."""
        while True:
            if self._pending is None:
                await self.pacer.due()
                self._pending = self._make()
            try:
                result = await queue.put(self._pending)
            except RemoteError as error:
                _logger.warning("the queue does not answer: %s", error)
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            self._pending = None
            self._add(result)

    def receipts(self) -> PutTotals:
        """Return the sums of the queues' answers."""
        return PutTotals(self._source, dict(self._answers))

    def _add(self, result: PutResult) -> None:
        before = self._answers.get(result.queue, PutResult(0, 0, result.queue))
        self._answers[result.queue] = PutResult(
            before.accepted + result.accepted, before.refused + result.refused, result.queue
        )
        self.accepted += result.accepted
        self.refused += result.refused
        if len(self._answers) > MAX_REPORTED_QUEUES:
            self._answers.popitem(last=False)

    def _make(self) -> Batch:
        first = self.produced
        self.produced += self._batch_size
        values = (math.sin(2 * math.pi * (first + i) / _PERIOD) for i in range(self._batch_size))
        return Batch(self._source, first, time.time(), tuple(round(value, 6) for value in values))
