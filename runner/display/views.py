"""Where a run is shown: drawn on a terminal, printed as lines, or written as JSON for machines."""

import json
import os
import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import IO, Any, Protocol, Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from runner.display.board import Board
from runner.errors import RunnerError
from runner.events import Event, StepStarted

REDRAWS = 8  # a second
SILENCE = 10.0  # seconds after which a run without a terminal says that it is still alive
UNFOLDED = 160  # columns


class View(Protocol):
    """Shows a run from `with` on; `report` may be called from any thread."""

    board: Board

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def report(self, event: Event) -> None:
        """Show one event."""

    def say(self, shown: Iterable[Text]) -> None:
        """Print lines that are no event: the table at the end."""

    def fail(self, error: RunnerError) -> None:
        """Tell machines why the run ends; people read it on standard error."""


class PlainView:
    """A line for each thing that ended, and a word now and then while nothing ends."""

    def __init__(self, console: Console, board: Board, silence: float = SILENCE) -> None:
        self.board = board
        self._console = console
        self._silence = silence
        self._said = time.monotonic()
        self._lock = threading.RLock()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._thread.join()

    def report(self, event: Event) -> None:
        """Print what the event leaves behind; a step also when it begins."""
        with self._lock:
            left = self.board.apply(event)
            self.say([Text(event.step)] if isinstance(event, StepStarted) else left)

    def say(self, shown: Iterable[Text]) -> None:
        """Print lines."""
        with self._lock:
            for line in shown:
                self._console.print(line, soft_wrap=True)
                self._said = time.monotonic()

    def fail(self, error: RunnerError) -> None:
        """Nothing: the command line prints it."""

    def _beat(self) -> None:
        while not self._closed.wait(self._silence / 10):
            with self._lock:
                if time.monotonic() - self._said >= self._silence:
                    self.say(self.board.heartbeat())


class LiveView:
    """One line for each host, download or build, drawn anew; what ended stands above."""

    def __init__(self, console: Console, board: Board) -> None:
        self.board = board
        self._console = console
        self._lock = threading.RLock()
        self._live = Live(console=console, get_renderable=self._draw, refresh_per_second=REDRAWS, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def report(self, event: Event) -> None:
        """Put what the event leaves behind above the live lines."""
        with self._lock:
            left = self.board.apply(event)
        self.say(left)

    def say(self, shown: Iterable[Text]) -> None:
        """Print lines above the live ones."""
        for line in shown:
            self._console.print(line, soft_wrap=True)

    def fail(self, error: RunnerError) -> None:
        """Nothing: the command line prints it."""

    def _draw(self) -> Group:
        width, height = self._console.size
        with self._lock:
            return Group(*self.board.live(width - 1, height - 2))


class JsonView:
    """One JSON object a line: the event's name, its time and its fields."""

    def __init__(self, stream: IO[str], board: Board) -> None:
        self.board = board
        self._read = True
        self._stream = stream
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.flush()

    def report(self, event: Event) -> None:
        """Write the event."""
        with self._lock:
            self.board.apply(event)
            self._write(as_json(event))

    def fail(self, error: RunnerError) -> None:
        """The run's last line."""
        with self._lock:
            self._write(failure_as_json(error))

    def _write(self, line: str) -> None:
        if self._read:
            try:
                self._stream.write(line + "\n")
                self._stream.flush()
            except BrokenPipeError:
                self._read = False
                discard_output()

    def say(self, shown: Iterable[Text]) -> None:
        """Machines have the events: nothing more is said to them."""


def as_json(event: Event) -> str:
    """An event as one line of JSON; the fields are those of runner/events.py."""
    return _object(type(event).__name__, asdict(event))


def failure_as_json(error: RunnerError) -> str:
    """Why a run ended, as one line of JSON like an event's."""
    told = {"message": error.message, "remedy": error.remedy, "details": error.details}
    return _object("Failure", {**told, "exit_code": int(error.exit_code)})


def _object(name: str, fields: dict[str, Any]) -> str:
    stamp = datetime.now(UTC).isoformat(timespec="milliseconds")
    return json.dumps({"event": name, "time": stamp, **fields}, ensure_ascii=False)


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Go on when the reader has gone (`… | head`): a run that stops anywhere is worse than one that is silent."""
        self.quiet = True
        discard_output()


def discard_output() -> None:
    """Let whatever is still written to standard output vanish, also what Python writes when it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())


def console(stderr: bool = False) -> Console:
    """Where people read: coloured on a terminal only, and never with NO_COLOR set."""
    stream = sys.stderr if stderr else sys.stdout
    # A file or a pipe has no width at which lines would have to be folded.
    width = None if stream.isatty() else UNFOLDED
    return _Console(stderr=stderr, highlight=False, markup=False, emoji=False, width=width)


def choose(as_events: bool, verbose: bool) -> View:
    """The view for standard output as it is."""
    board = Board(verbose=verbose)
    if as_events:
        return JsonView(sys.stdout, board)
    terminal = console()
    if terminal.is_terminal and not terminal.is_dumb_terminal:
        return LiveView(terminal, board)
    return PlainView(terminal, board)
