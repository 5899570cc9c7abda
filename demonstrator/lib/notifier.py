"""Something that changes now and then, and waiting until it has."""

import asyncio
from collections.abc import Callable


class Notifier:
    """Take `next` before looking, and wait for it after: no change in between is missed."""

    def __init__(self) -> None:
        self._next = asyncio.Event()

    @property
    def next(self) -> asyncio.Event:
        """Set by the next change."""
        return self._next

    def tell(self) -> None:
        """Wake everybody who waits."""
        self._next.set()
        self._next = asyncio.Event()

    async def until(self, holds: Callable[[], bool], seconds: float) -> bool:
        """Wait until a condition holds, looking at it after each change; False when that takes too long."""
        try:
            async with asyncio.timeout(seconds):
                while not holds():
                    await self._next.wait()
        except TimeoutError:
            return False
        return True
