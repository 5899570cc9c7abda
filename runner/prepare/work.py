"""Commands and jobs side by side, all of which end together when one fails or a person presses Ctrl-C."""

import os
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

_LAST_LINES = 30
T = TypeVar("T")


class StoppedError(Exception):
    """This job ends because another one failed or a person interrupted the run."""


class CommandError(Exception):
    """A command left with an exit code other than 0."""

    def __init__(self, command: Sequence[str], code: int, output: str) -> None:
        super().__init__(f"{command[0]} left with exit code {code}")
        self.output = output


class Work:
    """Runs commands and jobs, and can stop them all."""

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._children: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()

    def check(self) -> None:
        """Raise StoppedError if the run is over."""
        if self._stopped.is_set():
            raise StoppedError

    def run(
        self,
        command: Sequence[str],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        on_line: Callable[[str], None] = lambda _: None,
    ) -> str:
        """Run a command, hand over its output line by line, and return the output's end.

        Raises:
            CommandError: with the end of its output.
            StoppedError: if the run was stopped meanwhile.
        """
        last: deque[str] = deque(maxlen=_LAST_LINES)
        with self._lock:
            self.check()
            # A session of its own: Ctrl-C is for the runner, which then ends its children in order.
            child = subprocess.Popen(
                command,
                cwd=cwd,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,
            )
            self._children.add(child)
        assert child.stdout is not None  # a pipe was asked for
        try:
            with child.stdout as output:
                for line in output:
                    last.append(line.rstrip())
                    on_line(line.rstrip())
            code = child.wait()
        except BaseException:
            _terminate(child)
            child.wait()
            raise
        finally:
            with self._lock:
                self._children.discard(child)
        self.check()
        if code:
            raise CommandError(command, code, "\n".join(last))
        return "\n".join(last)

    def side_by_side(self, jobs: Sequence[Callable[[], T]], workers: int) -> list[T]:
        """Run jobs, `workers` at a time, and return their results in order; the first failure stops the others."""
        with ThreadPoolExecutor(max_workers=workers) as pool:
            futures = [pool.submit(job) for job in jobs]
            failures: list[BaseException] = []
            try:
                done, _ = wait(futures, return_when=FIRST_EXCEPTION)
                failures = [error for future in done if (error := future.exception())]
            except KeyboardInterrupt as interrupt:
                failures = [interrupt]
            if failures:
                self.stop()
                pool.shutdown(cancel_futures=True)
                raise failures[0]
        return [future.result() for future in futures]

    def stop(self) -> None:
        """End every running command, and every job at its next look."""
        self._stopped.set()
        with self._lock:
            for child in self._children:
                _terminate(child)


def _terminate(child: "subprocess.Popen[str]") -> None:
    # It may end by itself at this very moment.
    with suppress(ProcessLookupError):
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGTERM)
