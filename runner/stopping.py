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
TERMINATE_SECONDS = KILL_SECONDS = 3.0


@contextmanager
def interrupts_deferred() -> Iterator[Sequence[int]]:
    """Collect SIGINT, SIGTERM and SIGHUP in place of being interrupted by them; no effect outside the main thread.

    Raises KeyboardInterrupt at the end, if there was such a signal.
    """
    received: list[int] = []
    before = {
        number: signal.signal(number, lambda received_number, _: received.append(received_number))
        for number in (STOP_SIGNALS if threading.current_thread() is threading.main_thread() else ())
        if signal.getsignal(number) not in {signal.SIG_IGN, None}  # as under nohup
    }
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if received:
            raise KeyboardInterrupt


def stop_in_order(
    find: Callable[[], set[psutil.Process]], requests: Callable[[], int], interrupt_seconds: float = INTERRUPT_SECONDS
) -> Iterator[bool]:
    """Stop processes with SIGINT, SIGTERM and SIGKILL, each with a time limit; yield False while some are left.

    SIGINT goes to this process's own children and the groups that they lead, as Ctrl-C in a terminal would.
    The other signals go to every process that is left. Nothing is reaped: that is up to who started it.

    `find` returns the processes as they are now, `requests` how often a stop was asked for: each further request sends
    the next signal at once. SIGTERM follows SIGINT after `interrupt_seconds`.
    """
    stages = [(signal.SIGINT, interrupt_seconds), (signal.SIGTERM, TERMINATE_SECONDS), (signal.SIGKILL, KILL_SECONDS)]
    deadline = 0.0
    sent = 0
    processes: set[psutil.Process] = set()
    while processes := {one for one in processes | find() if _is_alive(one)}:
        timed_out = time.monotonic() > deadline
        if sent < len(stages) and (timed_out or requests() > sent):
            number, seconds = stages[sent]
            sent += 1
            deadline = time.monotonic() + seconds
            _send(number, processes)
        elif timed_out:  # another user's process can outlive SIGKILL
            return
        yield False


def _send(number: signal.Signals, processes: set[psutil.Process]) -> None:
    children = {one.pid for one in psutil.Process().children()}
    for one in processes:
        with suppress(psutil.Error, ProcessLookupError):  # ended meanwhile, or another user's
            if number != signal.SIGINT or one.pid in children or os.getpgid(one.pid) in children:
                one.send_signal(number)


def with_env_marker(marker: str) -> set[psutil.Process]:
    """Return this user's other processes with a variable whose name, value or NAME=VALUE begins with `marker`."""
    found = set()
    for one in psutil.process_iter(["environ"]):
        environment: dict[str, str] = one.info["environ"] or {}  # None for another user's
        if one.pid != os.getpid() and any(
            text.startswith(marker) for pair in environment.items() for text in (*pair, "=".join(pair))
        ):
            found.add(one)
    return found


def kill(processes: set[psutil.Process]) -> None:
    """Send SIGKILL to processes that may have ended meanwhile, and wait until they are gone."""
    for one in processes:
        with suppress(psutil.Error):
            one.kill()
    psutil.wait_procs(processes, KILL_SECONDS)


def started_by(pid: int) -> set[psutil.Process]:
    """Return a process, its descendants, and the processes of the session that it leads."""
    found = set()
    with suppress(psutil.NoSuchProcess):
        found = {psutil.Process(pid), *psutil.Process(pid).children(recursive=True)}
    for one in psutil.process_iter():
        with suppress(ProcessLookupError):
            if os.getsid(one.pid) == pid:
                found.add(one)
    return found


def _is_alive(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False
