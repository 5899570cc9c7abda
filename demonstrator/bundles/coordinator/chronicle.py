"""Keeps what has happened, and the figures of the last minutes."""

from collections import deque
from collections.abc import Awaitable, Callable

from demonstrator.bundles.coordinator.events import Memory, Observation, compare
from demonstrator.bundles.coordinator.gatherer import HISTORY_SECONDS
from demonstrator.model.overview import Event, Overview
from demonstrator.model.samples import Statistics

EVENTS = 500


class Chronicle:
    """Looks at every overview and at what is behind it."""

    def __init__(self, observe: Callable[[Overview], Observation]) -> None:
        self._observe = observe
        self._events: deque[Event] = deque(maxlen=EVENTS)
        self._figures: deque[tuple[float, tuple[Statistics, ...]]] = deque(maxlen=HISTORY_SECONDS)
        self._number = 0

    def events(self, after: int) -> tuple[Event, ...]:
        """See Coordinator.events."""
        return tuple(event for event in self._events if event.number > after)

    def figures(self) -> tuple[tuple[float, tuple[Statistics, ...]], ...]:
        """Every component's figures, second by second, oldest first."""
        return tuple(self._figures)

    async def run(self, following: Callable[[], Awaitable[Overview]]) -> None:
        """Keep until cancelled."""
        before, memory = Observation(), Memory()
        while True:
            overview = await following()
            after = self._observe(overview)
            happened, memory = compare(before, after, memory)
            for item in happened:
                self._number += 1
                at = overview.now.at
                self._events.append(Event(self._number, at, item.kind, item.subject, item.text, item.by))
            self._figures.append((overview.now.at, overview.statistics))
            before = after
