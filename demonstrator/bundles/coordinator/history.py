"""The coordinator's memory: rates of the last seconds, the last minutes, and the log of events."""

from collections import deque

from demonstrator.bundles.coordinator.collector import Snapshot
from demonstrator.bundles.coordinator.events import DiffState, compare
from demonstrator.model.overview import HISTORY_SECONDS, MAX_EVENTS, DataPoint, Event, Overview

# Samples come in batches: over a few seconds their number hardly jumps.
WINDOW_SECONDS = 3.0


class Rates:
    """Turns the counters of snapshots into samples a second, by the monotonic clock."""

    def __init__(self) -> None:
        # For each snapshot of the window its time, and the samples produced, stored and refused so far.
        self._window: deque[tuple[float, tuple[int, int, int]]] = deque()
        self._queues: set[str] = set()

    def update(self, snapshot: Snapshot) -> DataPoint:
        """Return the rates over the window that ends with this snapshot, and the queues' utilisation."""
        ledgers = snapshot.counters.queues
        if self._queues != (queues := {ledger.queue for ledger in ledgers}):
            # A queue has come or gone: its counters say nothing about the last seconds.
            self._queues = queues
            self._window.clear()
        totals = (
            sum(ledger.produced for ledger in ledgers),
            sum(sum(ledger.stored.values()) for ledger in ledgers),
            sum(ledger.refused for ledger in ledgers),
        )
        self._window.append((snapshot.clock, totals))
        while snapshot.clock - self._window[0][0] > WINDOW_SECONDS and len(self._window) > 2:
            self._window.popleft()
        since, before = self._window[0]
        seconds = snapshot.clock - since
        rates = [
            (after - earlier) / seconds if seconds > 0 else 0.0 for after, earlier in zip(totals, before, strict=True)
        ]
        capacity = sum(ledger.capacity for ledger in ledgers)
        held = sum(ledger.queued + ledger.in_work for ledger in ledgers)
        return DataPoint(snapshot.at, 100 * held / capacity if capacity else 0.0, *rates)


class History:
    """The last minutes, second by second, oldest first.

    Attributes:
        overviews: at most HISTORY_SECONDS of them.
    """

    def __init__(self) -> None:
        self.overviews: deque[Overview] = deque(maxlen=HISTORY_SECONDS)

    def add(self, overview: Overview) -> None:
        """Append an overview; when the clock was set back it replaces those of the seconds that come again."""
        while self.overviews and self.overviews[-1].now.at >= overview.now.at:
            self.overviews.pop()
        self.overviews.append(overview)


class EventLog:
    """The last events, found by comparing each snapshot with the one before.

    Attributes:
        events: oldest first, numbered from 1.
    """

    def __init__(self) -> None:
        self.events: deque[Event] = deque(maxlen=MAX_EVENTS)
        self._previous, self._state = Snapshot(), DiffState()
        self._number = 0

    def update(self, snapshot: Snapshot) -> None:
        """Append what has happened since the last snapshot."""
        found, self._state = compare(self._previous, snapshot, self._state)
        self._previous = snapshot
        for number, item in enumerate(found, self._number + 1):
            self.events.append(Event(number, snapshot.at, item.kind, item.subject, item.text, item.by))
        self._number += len(found)
