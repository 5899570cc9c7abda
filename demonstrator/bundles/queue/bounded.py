"""The queue itself: bounded, with leases, and a ledger that always balances."""

from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from demonstrator.components.queue import LEASE_SECONDS
from demonstrator.model.samples import QUEUE_CAPACITY, Batch, Delivery, PutResult, QueueLedger
from demonstrator.remote import RemoteError

# The last step of so many producers and consumers is remembered; the longest silent goes first.
_MEMORY = 1_000

_T = TypeVar("_T")


@dataclass(slots=True)
class _Lease:
    batch: Batch
    consumer: str
    ends: float


class BoundedQueue:
    """The engine in plain Python."""

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
        self._waiting: deque[Batch] = deque()
        self._leases: OrderedDict[str, _Lease] = OrderedDict()
        self._receipts: OrderedDict[str, tuple[int, PutResult]] = OrderedDict()
        self._takes: OrderedDict[str, tuple[int, tuple[str, ...]]] = OrderedDict()
        self._closed = False
        self._stored: Counter[str] = Counter()
        self._produced = self._queued = self._in_work = self._refused = 0

    def put(self, batch: Batch) -> PutResult:
        """See Engine.put."""
        first, receipt = self._receipts.get(batch.source, (-1, None))
        if receipt and batch.first == first:
            return receipt
        if batch.first < first:
            raise ValueError(f"{batch.source} has gone on from {batch.first} to {first}")
        if self._closed:
            raise RemoteError(f"{self._name} takes nothing new any more")
        size = len(batch)
        self._produced += size
        if self._queued + self._in_work + size <= self._capacity:
            receipt = PutResult(size, 0, self._name)
            self._waiting.append(batch)
            self._queued += size
        else:
            receipt = PutResult(0, size, self._name)
            self._refused += size
        _remember(self._receipts, batch.source, (batch.first, receipt))
        return receipt

    def close(self) -> None:
        """See Engine.close."""
        self._closed = True

    def lend(self, consumer: str, number: int, most: int) -> Delivery | None:
        """See Engine.lend."""
        self._end_leases()
        last, lent = self._takes.get(consumer, (-1, ()))
        if number < last:
            raise ValueError(f"{consumer} has gone on from take {number} to {last}")
        if number == last:
            return Delivery(self._name, self._lend_again(consumer, lent))
        return Delivery(self._name, self._lend(consumer, number, most)) if self._waiting else None

    def settle(self, batches: tuple[str, ...], store: str) -> None:
        """See Engine.settle."""
        for batch_id in batches:
            if lease := self._leases.pop(batch_id, None):
                self._in_work -= len(lease.batch)
                self._stored[store] += len(lease.batch)
            elif waiting := next((item for item in self._waiting if item.id == batch_id), None):
                # Its lease had ended, but its processor was only late.
                self._waiting.remove(waiting)
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

    def _lend(self, consumer: str, number: int, most: int) -> tuple[Batch, ...]:
        taken: list[Batch] = []
        while self._waiting and (not taken or len(self._waiting[0]) <= most):
            batch = self._waiting.popleft()
            most -= len(batch)
            taken.append(batch)
            self._queued -= len(batch)
            self._in_work += len(batch)
            self._leases[batch.id] = _Lease(batch, consumer, self._clock() + self._lease_seconds)
        _remember(self._takes, consumer, (number, tuple(batch.id for batch in taken)))
        return tuple(taken)

    def _lend_again(self, consumer: str, lent: tuple[str, ...]) -> tuple[Batch, ...]:
        leases = (self._leases.get(batch_id) for batch_id in lent)
        return tuple(lease.batch for lease in leases if lease and lease.consumer == consumer)

    def _end_leases(self) -> None:
        """Put batches back whose time is over, to the front: they have waited longest."""
        now = self._clock()
        while self._leases:
            lease = next(iter(self._leases.values()))
            if lease.ends > now:
                return
            del self._leases[lease.batch.id]
            self._waiting.appendleft(lease.batch)
            self._in_work -= len(lease.batch)
            self._queued += len(lease.batch)


def _remember(memory: OrderedDict[str, _T], key: str, value: _T) -> None:
    memory[key] = value
    memory.move_to_end(key)
    if len(memory) > _MEMORY:
        memory.popitem(last=False)
