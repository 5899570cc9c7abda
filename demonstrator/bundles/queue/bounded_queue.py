"""A bounded queue with leases, whose counters always balance."""

from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from demonstrator.model import LEASE_SECONDS, QUEUE_CAPACITY, Batch, Delivery, PutResult, QueueLedger
from demonstrator.remote import RemoteError

# The last request of so many producers and consumers is remembered; the least recently used goes first.
_LRU_SIZE = 1_000

_T = TypeVar("_T")


@dataclass(slots=True)
class _Lease:
    batch: Batch
    consumer: str
    ends: float


class BoundedQueue:
    """The engine in plain Python; see Engine."""

    def __init__(
        self,
        name: str,
        clock: Callable[[], float],
        capacity: int = QUEUE_CAPACITY,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        self._name = name
        self._clock = clock
        self._capacity = capacity
        self._lease_seconds = lease_seconds
        self._waiting: OrderedDict[str, Batch] = OrderedDict()
        # In the order in which they end.
        self._leases: OrderedDict[str, _Lease] = OrderedDict()
        self._last_puts: OrderedDict[str, tuple[int, PutResult]] = OrderedDict()
        self._last_takes: OrderedDict[str, tuple[int, tuple[str, ...]]] = OrderedDict()
        self._closed = False
        self._stored: Counter[str] = Counter()
        self._produced = self._queued = self._in_work = self._refused = 0

    def put(self, batch: Batch) -> PutResult:
        """See Engine.put."""
        first, result = self._last_puts.get(batch.source, (-1, None))
        if result and batch.first == first:
            return result
        if batch.first < first:
            raise ValueError(f"{batch.source} has gone on from {batch.first} to {first}")
        if self._closed:
            raise RemoteError(f"{self._name} takes nothing new any more")
        size, batch_id = len(batch), batch.id
        result = PutResult(size, 0, self._name)
        # One that is held was put before, by a source that is not remembered.
        if batch_id not in self._waiting and batch_id not in self._leases:
            self._produced += size
            if self._queued + self._in_work + size <= self._capacity:
                self._waiting[batch_id] = batch
                self._queued += size
            else:
                result = PutResult(0, size, self._name)
                self._refused += size
        _remember(self._last_puts, batch.source, (batch.first, result))
        return result

    def close(self) -> None:
        """See Engine.close."""
        self._closed = True

    def lease(self, consumer: str, number: int, most: int) -> Delivery | None:
        """See Engine.lease."""
        self._end_leases()
        last, leased = self._last_takes.get(consumer, (-1, ()))
        if number < last:
            raise ValueError(f"{consumer} has gone on from take {number} to {last}")
        if number == last:
            leases = (self._leases.get(batch_id) for batch_id in leased)
            return Delivery(self._name, tuple(one.batch for one in leases if one and one.consumer == consumer))
        return Delivery(self._name, self._lease_new(consumer, number, most)) if self._waiting else None

    def ack(self, batches: tuple[str, ...], store: str) -> None:
        """See Engine.ack."""
        for batch_id in batches:
            if lease := self._leases.pop(batch_id, None):
                self._in_work -= len(lease.batch)
                self._stored[store] += len(lease.batch)
            elif waiting := self._waiting.pop(batch_id, None):
                # Its lease had ended: the processor was late.
                self._queued -= len(waiting)
                self._stored[store] += len(waiting)

    def ledger(self) -> QueueLedger:
        """See Engine.ledger."""
        self._end_leases()
        return QueueLedger(
            queue=self._name,
            capacity=self._capacity,
            produced=self._produced,
            stored=dict(self._stored),
            queued=self._queued,
            in_work=self._in_work,
            refused=self._refused,
        )

    def _lease_new(self, consumer: str, number: int, most: int) -> tuple[Batch, ...]:
        leased: dict[str, Batch] = {}
        ends = self._clock() + self._lease_seconds
        while self._waiting and (not leased or len(next(iter(self._waiting.values()))) <= most):
            batch_id, batch = self._waiting.popitem(last=False)
            most -= len(batch)
            leased[batch_id] = batch
            self._queued -= len(batch)
            self._in_work += len(batch)
            self._leases[batch_id] = _Lease(batch, consumer, ends)
        _remember(self._last_takes, consumer, (number, tuple(leased)))
        return tuple(leased.values())

    def _end_leases(self) -> None:
        """Put the batches of overdue leases back to the front: they have waited longest."""
        now = self._clock()
        while self._leases:
            batch_id, lease = next(iter(self._leases.items()))
            if lease.ends > now:
                return
            del self._leases[batch_id]
            self._waiting[batch_id] = lease.batch
            self._waiting.move_to_end(batch_id, last=False)
            self._in_work -= len(lease.batch)
            self._queued += len(lease.batch)


def _remember(requests: OrderedDict[str, _T], name: str, request: _T) -> None:
    requests[name] = request
    requests.move_to_end(name)
    if len(requests) > _LRU_SIZE:
        requests.popitem(last=False)
