"""A queue as others see it: an engine that keeps batches, with waiting, figures and an orderly end."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from pelix.ipopo.decorators import Provides, Requires

from demonstrator.model.samples import Batch, Delivery, Metric, PutResult, QueueLedger, Statistics, check_name
from demonstrator.platform.spi import Drainable, Runtime
from demonstrator.services.data_path import Queue, StatsProvider

LEASE_SECONDS = 5.0
LONGEST_WAIT = 1.0
# Consumers ask far more often: after this long there are none.
SILENCE_SECONDS = 5.0


class Engine(Protocol):
    """Keeps batches until the data store has their results, and never waits.

    A batch that is taken is lent: unless it is settled before its lease ends it is lent to
    somebody else, so that a processor that dies loses nothing. Both what waits and what is lent
    counts against the capacity.
    """

    def put(self, batch: Batch) -> PutResult:
        """Take a batch or refuse it as a whole; a repeated one gets its first receipt again."""

    def close(self) -> None:
        """Take nothing new from now on: `put` raises RemoteError, except for a batch that is repeated."""

    def lend(self, consumer: str, number: int, most: int) -> Delivery | None:
        """Lend batches to a consumer, the same number the same ones again; None when nothing waits."""

    def settle(self, batches: tuple[str, ...], store: str) -> None:
        """Forget batches whose results are stored, whoever stored them."""

    def ledger(self) -> QueueLedger:
        """What became of all samples so far."""


@Provides([Queue, StatsProvider, Drainable])
@Requires("_runtime", Runtime)
class QueueService:
    """What the queues' components are made of; each brings an engine of its own kind."""

    _runtime: Runtime
    _engine: Engine

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._arrived = asyncio.Event()
        self._settled = asyncio.Event()
        self._heard = clock()

    def begin(self, engine: Engine) -> None:
        """Serve with this engine."""
        self._engine = engine

    async def put(self, batch: Batch) -> PutResult:
        """See Queue.put."""
        receipt = self._engine.put(batch)
        if receipt.accepted:
            self._arrived.set()
        return receipt

    async def take(self, consumer: str, number: int, most: int, wait: float) -> Delivery:
        """See Queue.take."""
        check_name(consumer)
        deadline = self._clock() + min(wait, LONGEST_WAIT)
        while True:
            self._heard = self._clock()
            # Ends leases, so that what they held is there for everybody who waits.
            ledger = await self.ledger()
            if (lent := self._engine.lend(consumer, number, most)) is not None:
                return lent
            if (left := deadline - self._clock()) <= 0:
                return Delivery(ledger.queue, ())
            self._arrived.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._arrived.wait()

    async def settle(self, batches: tuple[str, ...], store: str) -> None:
        """See Queue.settle."""
        check_name(store)
        self._engine.settle(batches, store)
        self._heard = self._clock()
        self._settled.set()

    async def ledger(self) -> QueueLedger:
        """See Queue.ledger."""
        ledger = self._engine.ledger()
        if ledger.queued:
            self._arrived.set()
        return ledger

    async def drain(self) -> None:
        """See Drainable.drain: until all is stored, or nobody is there to take it any more."""
        self._engine.close()
        self._heard = self._clock()
        while (ledger := await self.ledger()).queued + ledger.in_work:
            if (left := self._heard + SILENCE_SECONDS - self._clock()) <= 0:
                return
            self._settled.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._settled.wait()

    async def statistics(self) -> Statistics:
        """How full the queue is and what it has refused."""
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
