"""Run programs: one way for ssh, Vagrant, builds and all else that the runner starts.

A program gets no standard input and a session of its own, so that Ctrl-C in a terminal reaches only the runner.
The runner then stops it in order: SIGINT, SIGTERM, SIGKILL, each with a time limit, for all that the program started.
"""

import math
import os
import shlex
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, TypeVar

from runner.errors import MachineError
from runner.stopping import INTERRUPT_SECONDS, interrupts_deferred, started_by, stop_in_order

POLL_SECONDS = 0.1
SHORT_SECONDS = 60.0
NOT_FOUND = 127  # a shell's exit code
_CHUNK = 1 << 16
_TAIL_LINES = 30
T = TypeVar("T")


class CancelledError(Exception):
    """This job ends because another one failed or a signal interrupted the run."""


class CommandError(MachineError):
    """A command is not installed, failed or took too long.

    Attributes:
        code: its exit code, negative for a signal, NOT_FOUND where there is no such program; None after its time limit.
        output: the last lines that it printed.
    """

    def __init__(self, command: Sequence[str], code: int | None, output: str) -> None:
        outcome = "took too long" if code is None else f"ended with exit code {code}"
        super().__init__(f"`{shlex.join(command)}` {outcome}", details=output)
        self.code = code
        self.output = output


class JobRunner:
    """Run commands and parallel jobs, and cancel them together."""

    def __init__(self) -> None:
        self._cancelled = False
        self._signals: Sequence[int] = ()  # received while jobs run in parallel

    def cancel(self) -> None:
        """Stop every running command, and every job at its next check."""
        self._cancelled = True

    def check(self) -> None:
        """Raise CancelledError after a cancellation."""
        if self._cancelled or self._signals:
            raise CancelledError

    def run(  # noqa: PLR0913 - each is an option of a program's start
        self,
        command: Sequence[str],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: str | None = None,
        on_line: Callable[[str], object] = str,
        capture: bool = True,
        share_terminal: bool = False,
        timeout: float = math.inf,
        interrupt_seconds: float = INTERRUPT_SECONDS,
    ) -> str:
        """Run a command to its end, and return what it wrote to its standard output, without the last line's end.

        Ctrl-C, SIGTERM, SIGHUP, the time limit and a cancellation stop it and all that it started.

        Args:
            command: the program and its arguments.
            cwd: its working directory.
            env: its whole environment; this process's own by default.
            stdin: its input; nothing by default.
            on_line: called with each line of its output and error output, as they come.
            capture: whether its output is read; else it goes where this process's own goes.
            share_terminal: leave it in this process's session, as sudo needs to ask for a password.
            timeout: in seconds.
            interrupt_seconds: time that it has to end after SIGINT.

        Raises:
            CommandError: it is not installed, failed, or took too long.
            CancelledError: there was a cancellation.
            KeyboardInterrupt: there was a signal.
        """
        deadline = time.monotonic() + timeout
        pipe = subprocess.PIPE if capture else None
        output: list[str] = []
        tail: deque[str] = deque(maxlen=_TAIL_LINES)
        with interrupts_deferred() as interrupts, ExitStack() as files:
            self.check()
            given = files.enter_context(tempfile.TemporaryFile())
            given.write((stdin or "").encode())
            given.seek(0)
            try:
                child = subprocess.Popen(
                    command,
                    cwd=cwd,
                    env=env,
                    stdin=given,
                    stdout=pipe,
                    stderr=pipe,
                    bufsize=0,
                    start_new_session=not share_terminal,
                )
            except (FileNotFoundError, PermissionError) as error:
                raise CommandError(command, NOT_FOUND, f"{error.filename}: {error.strerror}") from None
            pipes = [files.enter_context(opened) for opened in (child.stdout, child.stderr) if opened]
            requests = 0
            # What a program leaves behind has no reason to take as long as the program itself.
            stop = stop_in_order(
                lambda: started_by(child.pid), lambda: requests + (child.poll() is not None), interrupt_seconds
            )

            def tick() -> bool:
                nonlocal requests
                timed_out = time.monotonic() > deadline
                requests = len(interrupts) + len(self._signals) + self._cancelled + timed_out
                ended = child.poll() is not None
                return next(stop, True) if requests else ended

            try:
                for source, line in _lines(child, pipes, tick):
                    tail.append(line)
                    if source is child.stdout:
                        output.append(line)
                    on_line(line)
            except BaseException:  # of on_line
                requests = 1
                for _ in stop:
                    _wait(child)
                raise
        self.check()
        if requests or child.returncode:
            raise CommandError(command, None if requests else child.returncode, "\n".join(tail))
        return "\n".join(output)

    def run_parallel(self, jobs: Sequence[Callable[[], T]], workers: int) -> list[T]:
        """Run jobs in threads, `workers` at a time, and return their results in their order.

        Raises:
            Exception: the first that a job raised; it cancels the others, as a signal does.
            KeyboardInterrupt: there was a signal.
        """
        failures: list[BaseException] = []

        def start(job: Callable[[], T]) -> T:
            self.check()
            try:
                return job()
            except BaseException as error:
                failures.append(error)
                self.cancel()  # before this thread takes the next job
                raise

        with interrupts_deferred() as self._signals, ThreadPoolExecutor(max_workers=max(1, workers)) as pool:
            futures = [pool.submit(start, job) for job in jobs]
        if failures:
            raise failures[0]
        return [future.result() for future in futures]


# For a command that is not one of several jobs: nothing cancels this runner.
run = JobRunner().run


def command_output(*command: str) -> str | None:
    """Return the output of a short command; None when it is not installed or fails."""
    try:
        return run(command, timeout=SHORT_SECONDS)
    except CommandError:
        return None


@contextmanager
def in_background(command: Sequence[str], log: Path, env: Mapping[str, str]) -> Iterator[None]:
    """Run a server until the context ends; its output goes to `log`."""
    jobs = JobRunner()
    with log.open("w", encoding="utf-8", buffering=1) as output, ThreadPoolExecutor(1) as pool:
        pool.submit(jobs.run, command, env=env, on_line=lambda line: output.write(f"{line}\n"))
        try:
            yield
        finally:
            jobs.cancel()


def _lines(
    child: "subprocess.Popen[bytes]", pipes: Sequence[IO[bytes]], tick: Callable[[], bool]
) -> Iterator[tuple[IO[bytes], str]]:
    """Yield each line with the pipe it came from, until nothing comes any more and tick() says that the child ended."""
    rest = dict.fromkeys(pipes, b"")
    for pipe in pipes:
        # A program in the background may hold the pipes open for longer than the child lives.
        os.set_blocking(pipe.fileno(), False)
    while True:
        ended = tick()
        chunks = {pipe: pipe.read(_CHUNK) or b"" for pipe in pipes}
        for pipe, chunk in chunks.items():
            # A carriage return ends a line too, as progress bars use it, unless a newline may still follow.
            lines = (rest[pipe] + chunk).splitlines(keepends=True)
            rest[pipe] = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""
            yield from ((pipe, _text(line)) for line in lines)
        if not any(chunks.values()):
            if ended:
                break
            _wait(child)
    yield from ((pipe, _text(line)) for pipe, line in rest.items() if line)


def _text(line: bytes) -> str:
    return line.rstrip(b"\r\n").decode(errors="replace")


def _wait(child: "subprocess.Popen[bytes]") -> None:
    with suppress(subprocess.TimeoutExpired):
        child.wait(POLL_SECONDS)
