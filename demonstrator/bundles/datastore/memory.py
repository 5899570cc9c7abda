"""The data store itself: the last results, packed, each batch known by its id."""

from array import array
from collections import OrderedDict, deque
from itertools import islice
from struct import Struct

from demonstrator.model.samples import MAX_REPORTED_QUEUES, STORE_CAPACITY, Batch, Result, StoreLedger, StoreResult

# The numbers of queue and processor among the names, made at and finished at; the values follow as doubles.
_HEAD = Struct("<IIdd")
_VALUE_BYTES = 8
# A batch is known by its first number and, below this, the number of its source.
_SOURCES = 2**32


class MemoryStore:
    """Keeps at most `capacity` samples, in whole batches, and drops the oldest.

    A value takes 8 bytes and a batch one string of bytes, not the hundred or more a sample that objects
    would: 11 MiB for a million in batches of 50, and 210 for a million batches of 1. A batch is
    recognised when it comes again for as long as it is kept: minutes, where a processor repeats itself
    within seconds.
    """

    def __init__(self, name: str, capacity: int = STORE_CAPACITY) -> None:
        self.stored = 0
        self.held = 0
        self._name = name
        self._capacity = capacity
        self._received: OrderedDict[str, int] = OrderedDict()
        # A name of each producer, queue and processor that ever was: some bytes for each restart.
        self._names: list[str] = []
        self._numbers: dict[str, int] = {}
        self._order: deque[int] = deque()
        self._results: dict[int, bytes] = {}

    def put(self, result: Result) -> StoreResult:
        """Keep a result, unless it is there already."""
        batch = result.batch
        key = batch.first * _SOURCES + self._number(batch.source)
        if key in self._results:
            return StoreResult(self._name, new=False)
        head = _HEAD.pack(self._number(result.queue), self._number(result.processor), batch.made_at, result.finished_at)
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
        """What was received so far."""
        return StoreLedger(self._name, self._capacity, dict(self._received))

    def latest(self, most: int) -> tuple[Result, ...]:
        """The newest results, newest first."""
        return tuple(self._unpack(key) for key in islice(reversed(self._order), max(most, 0)))

    def _number(self, name: str) -> int:
        if (number := self._numbers.get(name)) is None:
            number = self._numbers[name] = len(self._names)
            self._names.append(name)
        return number

    def _unpack(self, key: int) -> Result:
        first, source = divmod(key, _SOURCES)
        packed = self._results[key]
        queue, processor, made_at, finished_at = _HEAD.unpack_from(packed)
        values = tuple(array("d", packed[_HEAD.size :]))
        names = self._names
        return Result(Batch(names[source], first, made_at, values), names[queue], names[processor], finished_at)
