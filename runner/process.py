"""Run programs, each in a session of its own: Ctrl-C in a terminal reaches only the runner, which then stops them."""

import math
import os
import select
import shlex
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, TypeVar

from runner import environment
from runner.errors import MachineError
from runner.stopping import INTERRUPT_SECONDS, interrupts_deferred, started_by, stop_in_order

POLL_SECONDS = 0.1
NOT_FOUND = 127  # a shell's exit code
T = TypeVar("T")
_Child = subprocess.Popen[bytes]
_Pipe = IO[bytes]


class CancelledError(Exception):
    """This job ends because another one failed or a signal interrupted the run."""


class CommandError(MachineError):
    """A command is not installed (`code` is NOT_FOUND), failed, or took too long (None); `output` is its last lines."""

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
        on_line: Callable[[str], object] = lambda _: None,
        capture: bool = True,
        share_terminal: bool = False,
        timeout: float = math.inf,
        interrupt_seconds: float = INTERRUPT_SECONDS,
    ) -> str:
        """Run a command to its end, and return what it wrote to its standard output, without the last line's end.

        Ctrl-C, SIGTERM, SIGHUP, the time limit and a cancellation stop it and all that it started; it has
        `interrupt_seconds` to end after SIGINT. `env` replaces the environment that every program has. `on_line` gets
        each line of output and error output as they come; without `capture` they go where this process's own go. A
        command that shares the terminal stays in this process's session, as sudo needs to ask for a password.

        Raises:
            CommandError: it is not installed, failed, or took too long.
            CancelledError: there was a cancellation.
            KeyboardInterrupt: there was a signal.
        """
        deadline = time.monotonic() + timeout
        pipe = subprocess.PIPE if capture else None
        output: list[tuple[_Pipe, str]] = []
        with interrupts_deferred() as interrupts, ExitStack() as files:
            self.check()
            given: int | IO[bytes] = subprocess.DEVNULL
            if stdin is not None:
                given = files.enter_context(tempfile.TemporaryFile())
                given.write(stdin.encode())
                given.seek(0)
            try:
                child = subprocess.Popen(
                    command,
                    cwd=cwd,
                    env=environment.of_programs() if env is None else env,
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
                requests = len(interrupts) + len(self._signals) + self._cancelled + (time.monotonic() > deadline)
                ended = child.poll() is not None
                return next(stop, True) if requests else ended  # True at the end of `stop`: nothing is left

            try:
                for source, line in _lines(child, pipes, tick):
                    output.append((source, line))
                    on_line(line)
            except BaseException:  # of on_line
                requests = 1
                for _ in stop:
                    _wait(child)
                raise
            finally:
                child.poll()  # it may have ended after the last look at it: nothing else reaps it
        self.check()
        if requests or child.returncode:
            tail = "\n".join(line for _, line in output[-30:])
            raise CommandError(command, None if requests else child.returncode, tail)
        return "\n".join(line for source, line in output if source is child.stdout)

    def run_parallel(self, jobs: Sequence[Callable[[], T]], workers: int) -> list[T]:
        """Run jobs in threads, `workers` at a time, and return their results in their order.

        Raises the first exception of a job, or KeyboardInterrupt after a signal; either cancels the other jobs.
        """
        failures: list[BaseException] = []

        def start(job: Callable[[], T]) -> T:
            self.check()
            try:
                return job()
            except BaseException as error:
                failures.append(error)
                if not self._signals:  # a signal has stopped the others: this would count as a second one
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
    with suppress(CommandError):
        return run(command, timeout=60)
    return None


@contextmanager
def in_background(command: Sequence[str], log: Path) -> Iterator[None]:
    """Run a server until the context ends; its output goes to `log`."""
    jobs = JobRunner()

    def serve() -> None:
        try:
            jobs.run(command, on_line=lambda line: output.write(f"{line}\n"))
        except CommandError as error:  # the caller sees that nothing answers, and reads the log
            output.write(f"{error.message}\n{error.output if error.code == NOT_FOUND else ''}\n")

    with log.open("w", encoding="utf-8", buffering=1) as output, ThreadPoolExecutor() as pool, ExitStack() as end:
        end.callback(jobs.cancel)
        pool.submit(serve)
        yield


def _lines(child: _Child, pipes: Sequence[_Pipe], tick: Callable[[], bool]) -> Iterator[tuple[_Pipe, str]]:
    """Yield each line with the pipe it came from, until nothing comes any more and tick() says that the child ended."""
    rest = dict.fromkeys(pipes, b"")
    for pipe in pipes:
        # A program in the background may hold the pipes open for longer than the child lives.
        os.set_blocking(pipe.fileno(), False)
    opened = list(pipes)
    while True:
        ended = tick()
        chunks = {pipe: pipe.read(1 << 16) for pipe in opened}  # None: nothing yet, empty: closed
        opened = [pipe for pipe, chunk in chunks.items() if chunk != b""]
        is_idle = not any(chunks.values())
        for pipe in pipes:
            lines = (rest[pipe] + (chunks.get(pipe) or b"")).splitlines(keepends=True)
            # A carriage return ends a line too, as progress bars use it, unless a newline may still follow.
            is_cut = lines and not lines[-1].endswith(b"\n") and not (ended and is_idle)
            rest[pipe] = lines.pop() if is_cut else b""
            for line in lines:
                yield pipe, line.rstrip(b"\r\n").decode(errors="replace")
        if ended and is_idle:
            return
        if is_idle and opened:
            select.select(opened, [], [], POLL_SECONDS)
        elif is_idle:
            _wait(child)


def _wait(child: _Child) -> None:
    with suppress(subprocess.TimeoutExpired):
        child.wait(POLL_SECONDS)
