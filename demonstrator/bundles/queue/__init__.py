"""The queue as a bundle: provides Queue and its figures."""

import time

from pelix.framework import BundleContext
from pelix.ipopo.decorators import ComponentFactory, Instantiate, Provides, Requires, Validate

from demonstrator.bundles.queue.bounded import BoundedQueue
from demonstrator.contracts.platform import Runtime
from demonstrator.contracts.samples import Batch, Ledger, Lent, Receipt, Statistic, Statistics, new_id
from demonstrator.contracts.services import Queue, StatsProvider


@ComponentFactory("inaetics.queue")
@Provides([Queue, StatsProvider])
@Requires("_runtime", Runtime)
@Instantiate("queue")
class QueueComponent:
    """Hands every call on to the plain queue."""

    _runtime: Runtime
    _queue: BoundedQueue

    @Validate
    def start(self, context: BundleContext) -> None:
        """Begin empty, as a queue of its own."""
        self._queue = BoundedQueue(new_id(self._runtime.identity.pod), time.monotonic)

    async def put(self, batch: Batch) -> Receipt:
        """See Queue.put."""
        return self._queue.put(batch)

    async def take(self, consumer: str, number: int, most: int, wait: float) -> Lent:
        """See Queue.take."""
        return await self._queue.take(consumer, number, most, wait)

    async def settle(self, batches: tuple[str, ...], store: str) -> None:
        """See Queue.settle."""
        self._queue.settle(batches, store)

    async def ledger(self) -> Ledger:
        """See Queue.ledger."""
        return self._queue.ledger()

    async def statistics(self) -> Statistics:
        """How full the queue is and what it has refused."""
        ledger = self._queue.ledger()
        held = ledger.queued + ledger.in_work
        return Statistics(
            "queue",
            self._runtime.identity.pod,
            (
                Statistic("utilisation", "gauge", "%", 100 * held / ledger.capacity),
                Statistic("queued", "gauge", "samples", ledger.queued),
                Statistic("in work", "gauge", "samples", ledger.in_work),
                Statistic("refused", "counter", "samples", ledger.refused),
            ),
        )
