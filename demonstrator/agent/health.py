"""The health file: it exists while the agent's event loop turns and nothing in it has failed."""

import asyncio
import logging
import threading
from pathlib import Path

_logger = logging.getLogger(__name__)

_INTERVAL = 2.0
_PATIENCE = 10.0


class Health:
    """Keeps the file that the pod's liveness probe reads.

    A thread of its own asks the event loop for a sign of life, so that a loop that is stuck
    loses the file and the kubelet restarts the container.
    """

    def __init__(
        self,
        path: Path,
        loop: asyncio.AbstractEventLoop,
        interval: float = _INTERVAL,
        patience: float = _PATIENCE,
    ) -> None:
        self._path = path
        self._loop = loop
        self._interval = interval
        self._patience = patience
        self._failed = False
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="health", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def fail(self, reason: str) -> None:
        """Give the health file up for good, for a reason that is logged."""
        _logger.error("unhealthy from now on: %s", reason)
        self._failed = True
        self._path.unlink(missing_ok=True)

    def stop(self) -> None:
        """Stop watching and remove the file."""
        self._stopped.set()
        self._thread.join()
        self._path.unlink(missing_ok=True)

    def _watch(self) -> None:
        while not self._stopped.is_set():
            alive = threading.Event()
            self._loop.call_soon_threadsafe(alive.set)
            if alive.wait(self._patience) and not self._failed:
                self._path.touch()
            else:
                self._path.unlink(missing_ok=True)
            self._stopped.wait(self._interval)
