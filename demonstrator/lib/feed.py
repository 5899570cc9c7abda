"""A broadcast of values to any number of readers, which ends for all of them when it is closed."""

import asyncio
from typing import Generic, TypeVar

_T = TypeVar("_T")


class FeedClosedError(Exception):
    """The publisher has stopped: no further value will come."""


class Feed(Generic[_T]):
    """Hands each published value to all who wait for it at that moment; nothing is stored."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[_T]] = set()
        self._closed = False

    async def next(self) -> _T:
        """Wait for the next value.

        Raises:
            FeedClosedError: the feed is closed, or was while this waited.
        """
        if self._closed:
            raise FeedClosedError
        future: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            return await future
        finally:
            self._waiting.discard(future)

    def publish(self, value: _T) -> None:
        """Wake everybody who waits, with this value."""
        for future in self._waiting:
            if not future.done():
                future.set_result(value)

    def close(self) -> None:
        """End the feed for everybody who waits now or later."""
        self._closed = True
        for future in self._waiting:
            if not future.done():
                future.set_exception(FeedClosedError())
