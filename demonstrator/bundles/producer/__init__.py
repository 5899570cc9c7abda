"""The producer as a bundle: numbered batches of samples, each offered until a queue has answered."""

import asyncio
import logging
import math
import time
from contextlib import suppress

from pelix.ipopo.decorators import ComponentFactory, Instantiate, Invalidate, Provides, Requires, Validate

from demonstrator import model
from demonstrator.model import Batch, Metric, ProducerMode, PutResult, PutTotals, Statistics, new_id
from demonstrator.platform import Runtime
from demonstrator.remote import RemoteError
from demonstrator.services import Producer, Queue, StatsProvider

# Until the coordinator sets another one: between what one processor (333 per second) and two can process.
DEFAULT_RATE = 500.0
BATCH_SIZE = 50
# Number of batches that are made at once, by mode; the pause after them keeps the rate.
BATCHES_AT_ONCE: dict[ProducerMode, int] = {"periodic": 1, "burst": 10}

_RETRY_SECONDS = 0.2

_logger = logging.getLogger(__name__)


@ComponentFactory("inaetics.producer")
@Provides([Producer, StatsProvider])
@Requires("_runtime", Runtime)
@Requires("_queue", Queue)
@Instantiate("producer")
class ProducerComponent:
    """Produces while there is a queue; while a batch waits for its answer, no other one is made."""

    _runtime: Runtime
    _queue: Queue

    def __init__(self) -> None:
        self.name = ""
        self.produced = self.accepted = self.refused = 0
        self._rate = DEFAULT_RATE
        self._kind: ProducerMode = "periodic"
        self._made_at_once = 0
        self._began = -math.inf
        self._rate_changed = asyncio.Event()
        self._pending: Batch | None = None
        self._answers: dict[str, PutResult] = {}

    @Validate
    def start(self, _context: object) -> None:
        """Produce into the queue that was found, with the numbers that follow."""
        self.name = self.name or new_id(self._runtime.identity.pod)
        self._task = self._runtime.spawn(self.run(self._queue), "producer")

    @Invalidate
    def stop(self, _context: object) -> None:
        """Pause: the queue is gone."""
        self._task.cancel()

    async def run(self, queue: Queue) -> None:
        """Produce into this queue until cancelled; a pending batch is offered to the next queue."""
        while True:
            if self._pending is None:
                await self._due()
                self._pending = self._make()
            try:
                self._add(await queue.put(self._pending))
            except RemoteError as error:
                _logger.warning("the queue does not answer: %s", error)
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                self._pending = None

    async def rate(self) -> float:
        """See Producer.rate."""
        return self._rate

    async def set_rate(self, rate: float) -> None:
        """See Producer.set_rate."""
        if not 0 <= rate <= model.RATE_LIMIT:
            raise ValueError(f"rate is {rate}, where 0 to {model.RATE_LIMIT:g} are allowed")
        self._rate = rate
        self._rate_changed.set()

    async def kind(self) -> ProducerMode:
        """See Producer.kind."""
        return self._kind

    async def set_kind(self, kind: ProducerMode) -> None:
        """See Producer.set_kind."""
        self._kind = kind

    async def receipts(self) -> PutTotals:
        """See Producer.receipts."""
        return PutTotals(self.name, dict(self._answers))

    async def statistics(self) -> Statistics:
        """Return the rate, and the produced, accepted and refused samples."""
        metrics = (
            Metric("rate", "gauge", "samples/s", self._rate),
            Metric("produced", "counter", "samples", self.produced),
            Metric("accepted", "counter", "samples", self.accepted),
            Metric("refused", "counter", "samples", self.refused),
        )
        return Statistics("producer", self._runtime.identity.pod, metrics)

    async def _due(self) -> None:
        """Wait until the next batch is due, at the rate of that moment."""
        if self._rate and 0 < self._made_at_once < BATCHES_AT_ONCE[self._kind]:
            self._made_at_once += 1
            return
        while True:
            self._rate_changed.clear()
            interval = self._made_at_once * BATCH_SIZE / self._rate if self._rate else math.inf
            now, due = asyncio.get_running_loop().time(), self._began + interval
            if now >= due:
                # A delay shorter than a pause is made up for by the next one; a longer one is not.
                self._began = due if now - due < interval else now
                self._made_at_once = 1
                return
            with suppress(TimeoutError):
                async with asyncio.timeout_at(due if self._rate else None):
                    await self._rate_changed.wait()

    def _make(self) -> Batch:
        first = self.produced
        self.produced += BATCH_SIZE
        # A sine wave of a thousand samples.
        values = (round(math.sin(2 * math.pi * number / 1_000), 6) for number in range(first, self.produced))
        return Batch(self.name, first, time.time(), tuple(values))

    def _add(self, result: PutResult) -> None:
        self.accepted += result.accepted
        self.refused += result.refused
        before = self._answers.get(result.queue, PutResult(0, 0, result.queue))
        accepted, refused = before.accepted + result.accepted, before.refused + result.refused
        self._answers[result.queue] = PutResult(accepted, refused, result.queue)
        if len(self._answers) > model.MAX_REPORTED_QUEUES:
            del self._answers[next(iter(self._answers))]
