"""The queue's engine in C: its whole state is in the library, which has no clock and never waits."""

from array import array
from collections.abc import Callable, Iterator
from typing import Any

from demonstrator.lib.native import Library
from demonstrator.model import LEASE_SECONDS, QUEUE_CAPACITY, Batch, Delivery, PutResult, QueueLedger
from demonstrator.remote import RemoteError

_LARGEST = 2**63 - 1


class NativeQueue:
    """The engine in C; see Engine, and queue.h for the functions that it calls."""

    def __init__(
        self,
        library: Library,
        name: str,
        clock: Callable[[], float],
        capacity: int = QUEUE_CAPACITY,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        self._name = name
        self._clock = clock
        self._capacity = capacity
        self._ffi, self._c = library.ffi, library.functions
        if not (queue := self._c.queue_new(capacity, lease_seconds)):
            raise MemoryError
        self._queue = self._ffi.gc(queue, self._c.queue_free)
        self._answer = self._ffi.new("queue_answer *")

    def put(self, batch: Batch) -> PutResult:
        """See Engine.put."""
        source, id_of = (self._ffi.new("char[]", text.encode()) for text in (batch.source, batch.id))
        values = self._ffi.from_buffer("double[]", array("d", batch.values))
        given = {
            "id": id_of,
            "source": source,
            "first": _number(batch.first),
            "created_at": batch.created_at,
            "values": values,
            "size": len(batch),
        }
        outcome = self._c.queue_put(self._queue, self._ffi.new("queue_batch *", given), self._answer)
        if outcome == self._c.QUEUE_STALE:
            raise ValueError(f"{batch.source} has gone on from {batch.first} to {self._answer.last}")
        if outcome == self._c.QUEUE_CLOSED:
            raise RemoteError(f"{self._name} takes nothing new any more")
        self._check(outcome)
        return PutResult(self._answer.accepted, self._answer.refused, self._name)

    def close(self) -> None:
        """See Engine.close."""
        self._c.queue_close(self._queue)

    def lease(self, consumer: str, number: int, most: int) -> Delivery | None:
        """See Engine.lease."""
        # No take is larger than the queue.
        limit = min(most, self._capacity)
        outcome = self._c.queue_lease(
            self._queue, consumer.encode(), _number(number), max(limit, 0), self._clock(), self._answer
        )
        if outcome == self._c.QUEUE_STALE:
            raise ValueError(f"{consumer} has gone on from take {number} to {self._answer.last}")
        if outcome == self._c.QUEUE_EMPTY:
            return None
        self._check(outcome)
        return Delivery(self._name, tuple(self._leased()))

    def ack(self, batches: tuple[str, ...], store: str) -> None:
        """See Engine.ack."""
        for batch in batches:
            # To C such an id would end there, and be another one.
            if "\0" not in batch:
                self._check(self._c.queue_ack(self._queue, batch.encode(), store.encode()))

    def ledger(self) -> QueueLedger:
        """See Engine.ledger."""
        counters = self._c.queue_count(self._queue, self._clock())
        return QueueLedger(
            queue=self._name,
            capacity=self._capacity,
            produced=counters.produced,
            stored=dict(self._stored()),
            queued=counters.queued,
            in_work=counters.in_work,
            refused=counters.refused,
        )

    def _leased(self) -> Iterator[Batch]:
        while batch := self._c.queue_next(self._queue):
            values = self._ffi.unpack(batch.values, batch.size)
            yield Batch(self._text(batch.source), batch.first, batch.created_at, tuple(values))

    def _stored(self) -> Iterator[tuple[str, int]]:
        samples = self._ffi.new("int64_t *")
        index = 0
        while store := self._c.queue_stored(self._queue, index, samples):
            yield self._text(store), samples[0]
            index += 1

    def _text(self, characters: Any) -> str:
        text: bytes = self._ffi.string(characters)
        return text.decode()

    def _check(self, outcome: int) -> None:
        if outcome != self._c.QUEUE_DONE:
            raise MemoryError


def _number(number: int) -> int:
    if not -1 <= number <= _LARGEST:
        raise ValueError(f"{number} is no number that samples or takes could have")
    return number
