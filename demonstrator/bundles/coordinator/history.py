"""The coordinator's memory: rates of the last seconds, and the last minutes."""

from collections import deque
from collections.abc import Collection

from demonstrator.model import QueueLedger
from demonstrator.model.overview import HISTORY_SECONDS, DataPoint, Overview

# Samples come in batches: over a few seconds their number hardly jumps.
WINDOW_SECONDS = 3.0


class Rates:
    """Turns the queues' counters into samples a second."""

    def __init__(self) -> None:
        # For each moment of the window its time, and the samples produced, stored and refused so far.
        self._window: deque[tuple[float, tuple[int, int, int]]] = deque()
        self._queues: set[str] = set()

    def update(self, ledgers: Collection[QueueLedger], at: float, clock: float) -> DataPoint:
        """Return the rates over the window that ends now, and the utilisation of all queues.

        `at` is now in seconds since the epoch, `clock` by the monotonic clock.
        """
        if self._queues != (queues := {ledger.queue for ledger in ledgers}):
            # A queue has come or gone: its counters say nothing about the last seconds.
            self._queues = queues
            self._window.clear()
        totals = (
            sum(ledger.produced for ledger in ledgers),
            sum(sum(ledger.stored.values()) for ledger in ledgers),
            sum(ledger.refused for ledger in ledgers),
        )
        self._window.append((clock, totals))
        while clock - self._window[0][0] > WINDOW_SECONDS and len(self._window) > 2:
            self._window.popleft()
        since, before = self._window[0]
        # The first moment of a window has nothing before it.
        seconds = (clock - since) or 1.0
        rates = ((after - earlier) / seconds for after, earlier in zip(totals, before, strict=True))
        capacity = sum(ledger.capacity for ledger in ledgers)
        held = sum(ledger.queued + ledger.in_work for ledger in ledgers)
        return DataPoint(at, 100 * held / capacity if capacity else 0.0, *rates)


class History:
    """The overviews of the last minutes, oldest first."""

    def __init__(self) -> None:
        self.overviews: deque[Overview] = deque(maxlen=HISTORY_SECONDS)

    def add(self, overview: Overview) -> None:
        """Append an overview; when the clock was set back it replaces those of the seconds that come again."""
        while self.overviews and self.overviews[-1].now.at >= overview.now.at:
            self.overviews.pop()
        self.overviews.append(overview)
