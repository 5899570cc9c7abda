"""The queue as a native bundle: the same contracts as the queue in Python, its state in a library in C."""

from collections.abc import Iterator

from pelix.framework import BundleContext
from pelix.ipopo.decorators import ComponentFactory, Instantiate, Validate

from demonstrator.components.queue import QueueService
from demonstrator.lib.native import Library, load
from demonstrator.model import LEASE_SECONDS, Batch, PutResult
from demonstrator.remote import RemoteError


@ComponentFactory("inaetics.queue.celix")
@Instantiate("queue")
class NativeQueue(QueueService):
    """Calls the library, which has no clock and never waits; see queue.h."""

    @Validate
    def start(self, context: BundleContext) -> None:
        """See QueueService.start."""
        self.open(load(__name__, "queue.h"))
        super().start(context)

    def open(self, library: Library) -> None:
        """Begin with an empty queue of this library."""
        self._ffi, self._c = library.ffi, library.functions
        if not (queue := self._c.queue_new(self.capacity, LEASE_SECONDS)):
            raise MemoryError
        self._queue = self._ffi.gc(queue, self._c.queue_free)
        self._answer = self._ffi.new("queue_answer *")

    def _put(self, batch: Batch) -> PutResult:
        id_of, source = (self._ffi.new("char[]", text.encode()) for text in (batch.id, batch.source))
        values = self._ffi.new("double[]", batch.values)
        # An array of one queue_batch, its members in their order.
        batches = [(id_of, source, _number(batch.first), batch.created_at, values, len(batch))]
        outcome = self._c.queue_put(self._queue, batches, self._closed, self._answer)
        self._check(outcome, f"{batch.source} has gone on from {batch.first}")
        return PutResult(self._answer.accepted, self._answer.refused, self.name)

    def _lease(self, consumer: str, number: int, most: int) -> tuple[Batch, ...] | None:
        # No take is larger than the queue, and C's numbers have an end.
        most = max(0, min(most, self.capacity))
        now = self.clock()
        outcome = self._c.queue_lease(self._queue, consumer.encode(), _number(number), most, now, self._answer)
        self._check(outcome, f"{consumer} has gone on from take {number}")
        return None if outcome == self._c.QUEUE_EMPTY else tuple(self._leased())

    def _ack(self, batches: tuple[str, ...], store: str) -> None:
        for batch in batches:
            # To C such an id would end there, and be another one.
            if "\0" not in batch:
                self._check(self._c.queue_ack(self._queue, batch.encode(), store.encode()))

    def _count(self) -> tuple[int, dict[str, int], int, int, int]:
        counters = self._c.queue_count(self._queue, self.clock())
        return counters.produced, dict(self._stored()), counters.queued, counters.in_work, counters.refused

    def _leased(self) -> Iterator[Batch]:
        while batch := self._c.queue_next(self._queue):
            source, values = self._ffi.string(batch.source).decode(), self._ffi.unpack(batch.values, batch.size)
            yield Batch(source, batch.first, batch.created_at, tuple(values))

    def _stored(self) -> Iterator[tuple[str, int]]:
        samples, index = self._ffi.new("int64_t *"), 0
        while store := self._c.queue_stored(self._queue, index, samples):
            yield self._ffi.string(store).decode(), samples[0]
            index += 1

    def _check(self, outcome: int, stale: str = "") -> None:
        if outcome == self._c.QUEUE_STALE:
            raise ValueError(f"{stale} to {self._answer.last}")
        if outcome == self._c.QUEUE_CLOSED:
            raise RemoteError(f"{self.name} takes nothing new any more")
        if outcome == self._c.QUEUE_NO_MEMORY:
            raise MemoryError


def _number(number: int) -> int:
    if not -1 <= number < 2**63:
        raise ValueError(f"{number} is no number that samples or takes could have")
    return number
