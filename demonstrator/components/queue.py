"""The queue as a component: waiting, metrics and draining, whatever holds the batches."""

import asyncio
from abc import ABC, abstractmethod
from contextlib import suppress

from pelix.ipopo.decorators import Provides, Requires, Validate

from demonstrator import model
from demonstrator.model import Batch, Delivery, Metric, PutResult, QueueLedger, Statistics, check_name, new_id
from demonstrator.platform import Drainable, Runtime
from demonstrator.services import Queue, StatsProvider

# Of a take, in seconds.
MAX_WAIT = 1.0
# Consumers send a request every second: after this long there are none.
SILENCE_SECONDS = 5.0


@Provides([Queue, StatsProvider, Drainable])
@Requires("_runtime", Runtime)
class QueueService(ABC):
    """The base of the queues' components, which hold batches until their results are stored, and never wait."""

    _runtime: Runtime

    def __init__(self) -> None:
        self.name = ""
        self.capacity = model.QUEUE_CAPACITY
        self.clock = asyncio.get_running_loop().time
        self._closed = False
        self._filled = asyncio.Event()
        self._requested = asyncio.Event()

    @Validate
    def start(self, _context: object) -> None:
        """Take an id of its own."""
        self.name = new_id(self._runtime.identity.pod)

    async def put(self, batch: Batch) -> PutResult:
        """See Queue.put."""
        result = self._put(batch)
        if result.accepted:
            self._filled.set()
        return result

    async def take(self, consumer: str, number: int, most: int, wait: float) -> Delivery:
        """See Queue.take."""
        check_name(consumer)
        self._requested.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(min(wait, MAX_WAIT)):
                while True:
                    # Ends overdue leases, so that all who wait see their batches.
                    await self.ledger()
                    if (batches := self._lease(consumer, number, most)) is not None:
                        return Delivery(self.name, batches)
                    self._filled.clear()
                    await self._filled.wait()
        return Delivery(self.name, ())

    async def ack(self, batches: tuple[str, ...], store: str) -> None:
        """See Queue.ack."""
        check_name(store)
        self._ack(batches, store)
        self._requested.set()

    async def ledger(self) -> QueueLedger:
        """See Queue.ledger."""
        ledger = QueueLedger(self.name, self.capacity, *self._count())
        if ledger.queued:
            self._filled.set()
        return ledger

    async def drain(self) -> None:
        """See Drainable.drain: wait until all is stored, or until consumers have been silent for SILENCE_SECONDS."""
        self._closed = True
        with suppress(TimeoutError):
            while (ledger := await self.ledger()).queued + ledger.in_work:
                self._requested.clear()
                async with asyncio.timeout(SILENCE_SECONDS):
                    await self._requested.wait()

    async def statistics(self) -> Statistics:
        """Return utilisation, waiting, leased and refused samples."""
        ledger = await self.ledger()
        metrics = (
            Metric("utilisation", "gauge", "%", 100 * (ledger.queued + ledger.in_work) / ledger.capacity),
            Metric("queued", "gauge", "samples", ledger.queued),
            Metric("in work", "gauge", "samples", ledger.in_work),
            Metric("refused", "counter", "samples", ledger.refused),
        )
        return Statistics("queue", self._runtime.identity.pod, metrics)

    @abstractmethod
    def _put(self, batch: Batch) -> PutResult:
        """Accept a batch or refuse it as a whole; a repeated one gets its first answer again, also when closed."""

    @abstractmethod
    def _lease(self, consumer: str, number: int, most: int) -> tuple[Batch, ...] | None:
        """Lease batches to a consumer, or return None if none wait; see Queue.take."""

    @abstractmethod
    def _ack(self, batches: tuple[str, ...], store: str) -> None:
        """Remove batches whose results are stored; unknown ones are ignored."""

    @abstractmethod
    def _count(self) -> tuple[int, dict[str, int], int, int, int]:
        """End overdue leases, and return the counters of a QueueLedger: produced, stored, queued, in work, refused."""
