"""Waiting for changes without missing one."""

import asyncio
from collections.abc import Callable


class Notifier:
    """Wakes tasks at each change."""

    def __init__(self) -> None:
        self._next = asyncio.Event()

    def notify_all(self) -> None:
        """Wake all tasks that wait."""
        self._next.set()
        self._next = asyncio.Event()

    async def wait(self) -> None:
        """Wait for the next change."""
        await self._next.wait()

    async def wait_for(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait until a condition holds, checked after each change; return False after so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    await self.wait()
        except TimeoutError:
            return False
        return True
