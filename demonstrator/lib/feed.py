"""A broadcast of values to any number of readers, which ends for all of them when it is closed."""

from typing import Generic, TypeVar

from demonstrator.lib.notifier import Notifier

_T = TypeVar("_T")


class FeedClosedError(Exception):
    """The publisher has stopped: no further value will come."""


class Feed(Generic[_T]):
    """Hands each published value to all who wait for it at that moment."""

    _value: _T

    def __init__(self) -> None:
        self._changes = Notifier()
        self._closed = False

    async def next(self) -> _T:
        """Wait for the next value; raises FeedClosedError if the feed is closed, or is while this waits."""
        if not self._closed:
            await self._changes.wait()
        if self._closed:
            raise FeedClosedError
        return self._value

    def publish(self, value: _T) -> None:
        """Wake everybody who waits, with this value."""
        self._value = value
        self._changes.notify_all()

    def close(self) -> None:
        """End the feed for everybody who waits now or later."""
        self._closed = True
        self._changes.notify_all()
