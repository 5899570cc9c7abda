"""The data store as a bundle: the last results, packed, each found by its batch's id."""

from array import array
from collections import Counter, deque
from itertools import islice
from struct import Struct

from pelix.ipopo.decorators import ComponentFactory, Instantiate, Provides, Requires, Validate

from demonstrator import model
from demonstrator.model import Batch, Metric, Result, Statistics, StoreLedger, StoreResult, new_id
from demonstrator.platform import Runtime
from demonstrator.services import DataStore, StatsProvider

# Larger answers are too large for a call.
_LATEST_LIMIT = 100
# Indexes of queue and processor in the names, times of creation and processing; the values follow as doubles.
_HEAD = Struct("<IIdd")
# A batch's key is its first number times this, plus the index of its source.
_SOURCES = 2**32


@ComponentFactory("inaetics.datastore")
@Provides([DataStore, StatsProvider])
@Requires("_runtime", Runtime)
@Instantiate("datastore")
class MemoryStore:
    """Holds at most `capacity` samples, in whole batches, and drops the oldest; recognises a repeated one while held.

    A batch is one string of bytes: a million samples take 11 MiB in batches of 50, and 210 MiB in batches of 1.
    """

    _runtime: Runtime

    def __init__(self, capacity: int = model.STORE_CAPACITY) -> None:
        self.name = ""
        self.stored = 0
        self.held = 0
        self._capacity = capacity
        self._latency = 0.0
        self._received: Counter[str] = Counter()
        # Each producer, queue and processor that there ever was, with its index: some bytes for each restart.
        self._names: dict[str, int] = {}
        self._order: deque[int] = deque()
        self._results: dict[int, bytes] = {}

    @Validate
    def start(self, _context: object) -> None:
        """Take an id of its own."""
        self.name = new_id(self._runtime.identity.pod)

    async def put(self, result: Result) -> StoreResult:
        """See DataStore.put."""
        batch = result.batch
        self._latency = max(0.0, result.processed_at - batch.created_at)
        source, queue, processor = (
            self._names.setdefault(name, len(self._names)) for name in (batch.source, result.queue, result.processor)
        )
        key = batch.first * _SOURCES + source
        if key in self._results:
            return StoreResult(self.name, new=False)
        head = _HEAD.pack(queue, processor, batch.created_at, result.processed_at)
        self._order.append(key)
        self._results[key] = head + array("d", batch.values).tobytes()
        self.stored += len(batch)
        self.held += len(batch)
        self._received[result.queue] += len(batch)
        if len(self._received) > model.MAX_REPORTED_QUEUES:
            del self._received[next(iter(self._received))]
        while self.held > self._capacity:
            dropped = self._results.pop(self._order.popleft())
            self.held -= (len(dropped) - _HEAD.size) // 8
        return StoreResult(self.name, new=True)

    async def ledger(self) -> StoreLedger:
        """See DataStore.ledger."""
        return StoreLedger(self.name, self._capacity, dict(self._received))

    async def latest(self, most: int) -> tuple[Result, ...]:
        """See DataStore.latest."""
        if not 0 <= most <= _LATEST_LIMIT:
            raise ValueError(f"most is {most}, where 0 to {_LATEST_LIMIT} are allowed")
        names = tuple(self._names)
        return tuple(self._unpack(key, names) for key in islice(reversed(self._order), most))

    async def statistics(self) -> Statistics:
        """Return the stored and held samples, and the age of the last result when it was processed."""
        metrics = (
            Metric("stored", "counter", "samples", self.stored),
            Metric("held", "gauge", "samples", self.held),
            Metric("latency", "gauge", "s", self._latency),
        )
        return Statistics("datastore", self._runtime.identity.pod, metrics)

    def _unpack(self, key: int, names: tuple[str, ...]) -> Result:
        first, source = divmod(key, _SOURCES)
        packed = self._results[key]
        queue, processor, created_at, processed_at = _HEAD.unpack_from(packed)
        values = tuple(array("d", packed[_HEAD.size :]))
        return Result(Batch(names[source], first, created_at, values), names[queue], names[processor], processed_at)
