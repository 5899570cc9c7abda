"""The agent's health and its background tasks: a task that fails makes the agent unhealthy."""

import asyncio
import logging
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from demonstrator.platform import Identity

_logger = logging.getLogger(__name__)


class Health:
    """The health file, which the pod's liveness probe reads: it exists while the event loop runs and no task failed.

    `interval` and `timeout` of a look at the loop are in seconds.
    """

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop, interval: float = 2, timeout: float = 10) -> None:
        self._stopped = threading.Event()
        # It calls the loop and waits for the answer: a blocked loop loses the file, and the kubelet restarts the agent.
        arguments = (path, loop, interval, timeout)
        self._thread = threading.Thread(target=self._watch, args=arguments, name="health", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def fail(self, reason: str) -> None:
        """Remove the health file for good and log the reason."""
        _logger.error("unhealthy from now on: %s", reason)
        self._stopped.set()

    async def stop(self) -> None:
        """Stop the thread and remove the file."""
        self._stopped.set()
        # Not joined here: the thread may be waiting for an answer of this very loop.
        await asyncio.to_thread(self._thread.join)

    def _watch(self, path: Path, loop: asyncio.AbstractEventLoop, interval: float, timeout: float) -> None:
        try:
            while not self._stopped.is_set():
                alive = threading.Event()
                loop.call_soon_threadsafe(alive.set)
                if alive.wait(timeout):
                    path.touch()
                else:
                    path.unlink(missing_ok=True)
                self._stopped.wait(interval)
        finally:
            path.unlink(missing_ok=True)


class AgentRuntime:
    """The Runtime service: the agent as its bundles see it."""

    def __init__(self, identity: Identity, health: Health) -> None:
        self.identity = identity
        self._health = health
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """See Runtime.spawn."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    async def close(self) -> None:
        """Cancel all tasks that were spawned, and wait until they have ended."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            _logger.error("%s failed", task.get_name(), exc_info=error)
            self._health.fail(f"{task.get_name()} failed")
