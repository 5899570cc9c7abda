"""The queue as a component: an engine that holds batches, with waiting, metrics and draining."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from pelix.ipopo.decorators import Provides, Requires

from demonstrator.model import Batch, Delivery, Metric, PutResult, QueueLedger, Statistics, check_name
from demonstrator.platform import Drainable, Runtime
from demonstrator.services import Queue, StatsProvider

MAX_WAIT = 1.0
# Consumers send a request every second: after this long there are none.
SILENCE_SECONDS = 5.0


class Engine(Protocol):
    """Holds batches until their results are stored, and never waits.

    A batch that is taken is leased: unless it is acknowledged before the lease ends, it waits again, so that nothing is
    lost with a processor. Waiting and leased batches count against the capacity.
    """

    def put(self, batch: Batch) -> PutResult:
        """Accept a batch or refuse it as a whole; a repeated one gets its first answer again.

        Raises:
            ValueError: the source has put a later batch.
            RemoteError: the engine is closed.
        """

    def close(self) -> None:
        """Accept no new batches: `put` raises RemoteError, except for a repeated batch."""

    def lease(self, consumer: str, number: int, most: int) -> Delivery | None:
        """Lease batches to a consumer; return None if none wait. See Queue.take.

        Raises:
            ValueError: the consumer has sent a later number.
        """

    def ack(self, batches: tuple[str, ...], store: str) -> None:
        """Remove batches whose results are stored; unknown ones are ignored."""

    def ledger(self) -> QueueLedger:
        """Return the counters of all samples so far."""


@Provides([Queue, StatsProvider, Drainable])
@Requires("_runtime", Runtime)
class QueueService:
    """The base of the queues' components, which set an engine at their start."""

    _runtime: Runtime
    _engine: Engine

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._filled = asyncio.Event()
        self._acked = asyncio.Event()
        self._last_request = clock()

    def set_engine(self, engine: Engine) -> None:
        """Serve with this engine."""
        self._engine = engine

    async def put(self, batch: Batch) -> PutResult:
        """See Queue.put."""
        result = self._engine.put(batch)
        if result.accepted:
            self._filled.set()
        return result

    async def take(self, consumer: str, number: int, most: int, wait: float) -> Delivery:
        """See Queue.take."""
        check_name(consumer)
        deadline = self._clock() + min(wait, MAX_WAIT)
        while True:
            self._last_request = self._clock()
            # Ends overdue leases, so that all who wait see their batches.
            ledger = await self.ledger()
            if (delivery := self._engine.lease(consumer, number, most)) is not None:
                return delivery
            if not await self._wait(self._filled, deadline):
                return Delivery(ledger.queue, ())

    async def ack(self, batches: tuple[str, ...], store: str) -> None:
        """See Queue.ack."""
        check_name(store)
        self._engine.ack(batches, store)
        self._last_request = self._clock()
        self._acked.set()

    async def ledger(self) -> QueueLedger:
        """See Queue.ledger."""
        ledger = self._engine.ledger()
        if ledger.queued:
            self._filled.set()
        return ledger

    async def drain(self) -> None:
        """See Drainable.drain: wait until all is stored, or until consumers have been silent for SILENCE_SECONDS."""
        self._engine.close()
        self._last_request = self._clock()
        while (ledger := await self.ledger()).queued + ledger.in_work:
            if not await self._wait(self._acked, self._last_request + SILENCE_SECONDS):
                return

    async def statistics(self) -> Statistics:
        """Return utilisation, waiting, leased and refused samples."""
        ledger = self._engine.ledger()
        held = ledger.queued + ledger.in_work
        return Statistics(
            "queue",
            self._runtime.identity.pod,
            (
                Metric("utilisation", "gauge", "%", 100 * held / ledger.capacity),
                Metric("queued", "gauge", "samples", ledger.queued),
                Metric("in work", "gauge", "samples", ledger.in_work),
                Metric("refused", "counter", "samples", ledger.refused),
            ),
        )

    async def _wait(self, event: asyncio.Event, deadline: float) -> bool:
        """Wait for an event or the deadline; return False if the deadline has passed before."""
        if (left := deadline - self._clock()) <= 0:
            return False
        event.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(left):
                await event.wait()
        return True
