"""What this run started, found by what it carries in its environment, and its end."""

import os
import signal
from collections.abc import Iterable
from pathlib import Path


def mentioning(mark: str) -> list[int]:
    """The processes of this user whose environment, as they were started with it, holds `mark`."""
    pids = (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())
    return [pid for pid in pids if _mentions(pid, mark.encode())]


def _mentions(pid: int, mark: bytes) -> bool:
    try:
        return pid != os.getpid() and mark in Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:  # another user's, or gone
        return False


def parent(pid: int) -> int | None:
    """The process that started `pid`, or that took it over; None when `pid` is gone."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return None
    return int(after_name[1])


def send(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process that may have ended meanwhile."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def kill(pids: Iterable[int]) -> None:
    """End processes that no longer listen."""
    for pid in pids:
        send(pid, signal.SIGKILL)
