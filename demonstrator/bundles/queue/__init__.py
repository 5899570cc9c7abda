"""The queue as a bundle, in plain Python."""

from collections import Counter, OrderedDict
from typing import Any, NamedTuple

from pelix.ipopo.decorators import ComponentFactory, Instantiate

from demonstrator.components.queue import QueueService
from demonstrator.model import LEASE_SECONDS, Batch, PutResult
from demonstrator.remote import RemoteError

# The last request of so many producers and consumers is remembered; the least recently used goes first.
_LRU_SIZE = 1_000


class _Lease(NamedTuple):
    batch: Batch
    consumer: str
    ends: float


@ComponentFactory("inaetics.queue")
@Instantiate("queue")
class BoundedQueue(QueueService):
    """A bounded queue with leases, whose counters always balance."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: OrderedDict[str, Batch] = OrderedDict()
        # In the order in which they end.
        self._leases: OrderedDict[str, _Lease] = OrderedDict()
        self._last_puts: OrderedDict[str, tuple[int, PutResult]] = OrderedDict()
        self._last_takes: OrderedDict[str, tuple[int, list[str]]] = OrderedDict()
        self._stored: Counter[str] = Counter()
        self._produced = self._queued = self._in_work = self._refused = 0

    def _put(self, batch: Batch) -> PutResult:
        first, result = self._last_puts.get(batch.source, (-1, None))
        if result and batch.first == first:
            return result
        if batch.first < first:
            raise ValueError(f"{batch.source} has gone on from {batch.first} to {first}")
        if self._closed:
            raise RemoteError(f"{self.name} takes nothing new any more")
        size, batch_id = len(batch), batch.id
        result = PutResult(size, 0, self.name)
        # One that is held was put before, by a source that is not remembered.
        if batch_id not in self._waiting and batch_id not in self._leases:
            self._produced += size
            if self._queued + self._in_work + size <= self.capacity:
                self._waiting[batch_id] = batch
                self._queued += size
            else:
                result = PutResult(0, size, self.name)
                self._refused += size
        _remember(self._last_puts, batch.source, (batch.first, result))
        return result

    def _lease(self, consumer: str, number: int, most: int) -> tuple[Batch, ...] | None:
        last, leased = self._last_takes.get(consumer, (-1, []))
        if number < last:
            raise ValueError(f"{consumer} has gone on from take {number} to {last}")
        if number > last:
            if not self._waiting:
                return None
            leased = []
            while self._waiting and (not leased or len(next(iter(self._waiting.values()))) <= most):
                batch_id, batch = self._waiting.popitem(last=False)
                self._leases[batch_id] = _Lease(batch, consumer, self.clock() + LEASE_SECONDS)
                leased.append(batch_id)
                most -= len(batch)
                self._queued -= len(batch)
                self._in_work += len(batch)
            _remember(self._last_takes, consumer, (number, leased))
        leases = (self._leases.get(batch_id) for batch_id in leased)
        return tuple(lease.batch for lease in leases if lease and lease.consumer == consumer)

    def _ack(self, batches: tuple[str, ...], store: str) -> None:
        for batch_id in batches:
            if lease := self._leases.pop(batch_id, None):
                self._in_work -= len(lease.batch)
                self._stored[store] += len(lease.batch)
            elif waiting := self._waiting.pop(batch_id, None):
                # Its lease had ended: the processor was late.
                self._queued -= len(waiting)
                self._stored[store] += len(waiting)

    def _count(self) -> tuple[int, dict[str, int], int, int, int]:
        now = self.clock()
        while self._leases and next(iter(self._leases.values())).ends <= now:
            batch_id, lease = self._leases.popitem(last=False)
            # To the front: it has waited longest.
            self._waiting[batch_id] = lease.batch
            self._waiting.move_to_end(batch_id, last=False)
            self._in_work -= len(lease.batch)
            self._queued += len(lease.batch)
        return self._produced, dict(self._stored), self._queued, self._in_work, self._refused


def _remember(requests: OrderedDict[str, tuple[int, Any]], name: str, request: tuple[int, Any]) -> None:
    requests[name] = request
    requests.move_to_end(name)
    if len(requests) > _LRU_SIZE:
        requests.popitem(last=False)
