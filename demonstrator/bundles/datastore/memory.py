"""The data store itself: the last results, packed, each batch known by its id."""

from array import array
from collections import Counter, deque
from itertools import islice
from sys import intern

from demonstrator.contracts.samples import STORE_CAPACITY, Batch, Kept, Result, StoreLedger

# source, first number, made at, queue, processor, finished at, values as packed doubles
_Packed = tuple[str, int, float, str, str, float, bytes]


class MemoryStore:
    """Keeps at most `capacity` samples, in whole batches, and drops the oldest.

    A value takes 8 bytes and a batch of 50 some 15 a sample in all, not the hundred or more
    that objects would. A batch is recognised when it comes again for as long as it is kept:
    minutes, where a processor repeats itself within seconds.
    """

    def __init__(self, name: str, capacity: int = STORE_CAPACITY) -> None:
        self.stored = 0
        self.held = 0
        self._name = name
        self._capacity = capacity
        self._received: Counter[str] = Counter()
        self._results: deque[_Packed] = deque()
        self._known: set[tuple[str, int]] = set()

    def put(self, result: Result) -> Kept:
        """Keep a result, unless it is there already."""
        batch = result.batch
        source = intern(batch.source)
        if (source, batch.first) in self._known:
            return Kept(self._name, new=False)
        self._known.add((source, batch.first))
        self._results.append(
            (
                source,
                batch.first,
                batch.made_at,
                intern(result.queue),
                intern(result.processor),
                result.finished_at,
                array("d", batch.values).tobytes(),
            )
        )
        self.stored += len(batch)
        self.held += len(batch)
        self._received[result.queue] += len(batch)
        while self.held > self._capacity:
            source, first, *_, values = self._results.popleft()
            self._known.remove((source, first))
            self.held -= len(values) // 8
        return Kept(self._name, new=True)

    def ledger(self) -> StoreLedger:
        """What was received so far."""
        return StoreLedger(self._name, self._capacity, dict(self._received))

    def latest(self, most: int) -> tuple[Result, ...]:
        """The newest results, newest first."""
        return tuple(
            Result(Batch(source, first, made_at, tuple(array("d", values))), queue, processor, finished_at)
            for source, first, made_at, queue, processor, finished_at, values in islice(
                reversed(self._results), max(most, 0)
            )
        )
