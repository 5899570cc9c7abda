"""Signals to this process and to others: SIGINT, SIGTERM and SIGKILL in order, each with a time limit."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

import psutil

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
INTERRUPT_SECONDS = 5.0
TERMINATE_SECONDS = 3.0
KILL_SECONDS = 3.0


@contextmanager
def interrupts_deferred() -> Iterator[Sequence[int]]:
    """Collect SIGINT, SIGTERM and SIGHUP in place of being interrupted by them.

    Yields:
        the signals received until now; always empty outside the main thread.

    Raises:
        KeyboardInterrupt: at the end, if there was such a signal.
    """
    received: list[int] = []
    # Only the main thread may have handlers; a signal that is ignored, as under nohup, stays so.
    numbers = STOP_SIGNALS if threading.current_thread() is threading.main_thread() else ()
    before = {
        number: signal.signal(number, lambda received_number, _: received.append(received_number))
        for number in numbers
        if signal.getsignal(number) not in {signal.SIG_IGN, None}
    }
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if received:
            raise KeyboardInterrupt


class Stopper:
    """Stop processes with SIGINT, SIGTERM and SIGKILL, each with a time limit.

    SIGINT goes to this process's own children and the groups that they lead, as Ctrl-C in a terminal would.
    The other signals go to every process that is left. Nothing is reaped: that is up to who started it.

    Args:
        find: returns the processes to stop, as they are now.
        interrupt_seconds: time between SIGINT and SIGTERM.
    """

    def __init__(self, find: Callable[[], set[psutil.Process]], interrupt_seconds: float = INTERRUPT_SECONDS) -> None:
        self._find = find
        seconds = (interrupt_seconds, TERMINATE_SECONDS, KILL_SECONDS)
        self._stages = list(zip((signal.SIGINT, signal.SIGTERM, signal.SIGKILL), seconds, strict=True))
        self._sent = 0
        self._deadline = 0.0
        self._processes: set[psutil.Process] = set()

    def tick(self, requests: int = 1) -> bool:
        """Send the next signal if it is due; to be called until it returns True.

        Args:
            requests: how often a stop was asked for; each further request sends the next signal at once.

        Returns:
            whether all processes have ended, or outlived SIGKILL's time limit (as another user's do).
        """
        self._processes = {one for one in self._processes | self._find() if _is_alive(one)}
        timed_out = time.monotonic() > self._deadline
        if not self._processes or self._sent == len(self._stages):
            return timed_out or not self._processes
        if requests > self._sent or timed_out:
            number, seconds = self._stages[self._sent]
            self._sent += 1
            self._deadline = time.monotonic() + seconds
            self._send(number)
        return False

    def _send(self, number: signal.Signals) -> None:
        children = {one.pid for one in psutil.Process().children()}
        for one in self._processes:
            with suppress(psutil.Error, ProcessLookupError):  # ended meanwhile, or another user's
                if number != signal.SIGINT or one.pid in children or os.getpgid(one.pid) in children:
                    one.send_signal(number)


def with_env_marker(marker: str) -> set[psutil.Process]:
    """Return this user's other processes that were started with `marker` in a variable's name or value."""
    found = set()
    for one in psutil.process_iter(["environ"]):
        environment: dict[str, str] = one.info["environ"] or {}  # None for another user's
        if one.pid != os.getpid() and any(marker in text for pair in environment.items() for text in pair):
            found.add(one)
    return found


def kill(processes: set[psutil.Process]) -> None:
    """Send SIGKILL to processes that may have ended meanwhile."""
    for one in processes:
        with suppress(psutil.Error):
            one.kill()


def started_by(pid: int) -> set[psutil.Process]:
    """Return a process, its descendants, and the processes of the session that it leads."""
    found = set()
    with suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        found = {root, *root.children(recursive=True)}
    for one in psutil.process_iter():
        with suppress(ProcessLookupError):
            if os.getsid(one.pid) == pid:
                found.add(one)
    return found


def _is_alive(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False
