"""Rates from counters."""

from collections import deque

from demonstrator.contracts.samples import Ledger

# Samples come in batches: over a few seconds their number hardly jumps.
WINDOW_SECONDS = 3.0


class Rates:
    """Samples per second, from ledgers as they are read."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, Ledger]] = deque()

    def add(self, at: float, ledger: Ledger) -> tuple[float, float, float]:
        """The rates produced, stored and refused over the window that ends with this ledger."""
        if self._seen and ledger.produced < self._seen[-1][1].produced:
            # A queue has come or gone: its counters say nothing about the last seconds.
            self._seen.clear()
        self._seen.append((at, ledger))
        while at - self._seen[0][0] > WINDOW_SECONDS:
            if len(self._seen) == 2:
                break
            self._seen.popleft()
        since, before = self._seen[0]
        seconds = at - since
        if seconds <= 0:
            return 0.0, 0.0, 0.0
        return (
            (ledger.produced - before.produced) / seconds,
            (ledger.stored - before.stored) / seconds,
            (ledger.refused - before.refused) / seconds,
        )
