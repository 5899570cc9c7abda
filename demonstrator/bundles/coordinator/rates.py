"""Rates from counters."""

from collections import deque
from collections.abc import Sequence

from demonstrator.model.samples import QueueLedger

# Samples come in batches: over a few seconds their number hardly jumps.
WINDOW_SECONDS = 3.0

# Produced, stored and refused.
_Counters = tuple[int, int, int]


class Rates:
    """Samples per second, from the ledgers of all queues as they are read."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, _Counters]] = deque()

        self._queues: set[str] = set()

    def add(self, at: float, ledgers: Sequence[QueueLedger]) -> tuple[float, float, float]:
        """The rates produced, stored and refused over the window that ends with these ledgers."""
        if self._queues != (queues := {ledger.queue for ledger in ledgers}):
            # A queue has come or gone: its counters say nothing about the last seconds.
            self._queues = queues
            self._seen.clear()
        produced = sum(ledger.produced for ledger in ledgers)
        stored = sum(sum(ledger.stored.values()) for ledger in ledgers)
        refused = sum(ledger.refused for ledger in ledgers)
        self._seen.append((at, (produced, stored, refused)))
        while at - self._seen[0][0] > WINDOW_SECONDS:
            if len(self._seen) == 2:
                break
            self._seen.popleft()
        since, before = self._seen[0]
        seconds = at - since
        if seconds <= 0:
            return 0.0, 0.0, 0.0
        return (
            (produced - before[0]) / seconds,
            (stored - before[1]) / seconds,
            (refused - before[2]) / seconds,
        )
