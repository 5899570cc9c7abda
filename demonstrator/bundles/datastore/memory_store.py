"""The last results, packed, each found by its batch's id."""

from array import array
from collections import OrderedDict, deque
from itertools import islice
from struct import Struct

from demonstrator.model import MAX_REPORTED_QUEUES, STORE_CAPACITY, Batch, Result, StoreLedger, StoreResult

# Indexes of queue and processor in the names, times of creation and processing; the values follow as doubles.
_HEAD = Struct("<IIdd")
_VALUE_BYTES = 8
# A batch's key is its first number times this, plus the index of its source.
_SOURCES = 2**32


class MemoryStore:
    """Holds at most `capacity` samples, in whole batches, and drops the oldest.

    A batch is one string of bytes with 8 bytes for each value: a million samples take 11 MiB in batches of 50, and
    210 MiB in batches of 1; objects would take a hundred bytes or more for each sample. A repeated batch is recognised
    as long as it is held: minutes, and processors repeat within seconds.
    """

    def __init__(self, name: str, capacity: int = STORE_CAPACITY) -> None:
        self.stored = 0
        self.held = 0
        self._name = name
        self._capacity = capacity
        self._received: OrderedDict[str, int] = OrderedDict()
        # Of each producer, queue and processor that there ever was: some bytes for each restart.
        self._names: list[str] = []
        self._numbers: dict[str, int] = {}
        self._order: deque[int] = deque()
        self._results: dict[int, bytes] = {}

    def put(self, result: Result) -> StoreResult:
        """See DataStore.put."""
        batch = result.batch
        key = batch.first * _SOURCES + self._number(batch.source)
        if key in self._results:
            return StoreResult(self._name, new=False)
        head = _HEAD.pack(
            self._number(result.queue), self._number(result.processor), batch.created_at, result.processed_at
        )
        self._order.append(key)
        self._results[key] = head + array("d", batch.values).tobytes()
        self.stored += len(batch)
        self.held += len(batch)
        self._received[result.queue] = self._received.get(result.queue, 0) + len(batch)
        if len(self._received) > MAX_REPORTED_QUEUES:
            self._received.popitem(last=False)
        while self.held > self._capacity:
            dropped = self._results.pop(self._order.popleft())
            self.held -= (len(dropped) - _HEAD.size) // _VALUE_BYTES
        return StoreResult(self._name, new=True)

    def ledger(self) -> StoreLedger:
        """See DataStore.ledger."""
        return StoreLedger(self._name, self._capacity, dict(self._received))

    def latest(self, most: int) -> tuple[Result, ...]:
        """See DataStore.latest."""
        return tuple(self._unpack(key) for key in islice(reversed(self._order), max(most, 0)))

    def _number(self, name: str) -> int:
        if (number := self._numbers.get(name)) is None:
            number = self._numbers[name] = len(self._names)
            self._names.append(name)
        return number

    def _unpack(self, key: int) -> Result:
        first, source = divmod(key, _SOURCES)
        packed = self._results[key]
        queue, processor, created_at, processed_at = _HEAD.unpack_from(packed)
        values = tuple(array("d", packed[_HEAD.size :]))
        names = self._names
        return Result(Batch(names[source], first, created_at, values), names[queue], names[processor], processed_at)
