"""The views of a run: drawn on a terminal, printed as lines, or written as JSON."""

import json
import os
import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import IO, Any, Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from runner.display.board import Board
from runner.errors import RunnerError
from runner.events import Event, StepStarted

REDRAWS = 8  # a second
HEARTBEAT_INTERVAL = 10.0  # seconds without a line after which a run without a terminal prints what it does
PIPE_WIDTH = 160  # columns: a file or a pipe has no width of its own


class View:
    """Shows a run while its context lasts; `report` may be called from any thread."""

    def __init__(self, board: Board) -> None:
        self.board = board

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to end."""

    def report(self, event: Event) -> None:
        """Show one event."""
        self.print_lines(self.board.apply(event))

    def print_lines(self, lines: Iterable[Text]) -> None:
        """Print lines for people, such as the table at the end; programs have the events."""

    def fail(self, error: RunnerError) -> None:
        """Write why the run ends, for programs; people read it on standard error."""


class PlainView(View):
    """A line for each thing that has ended, and a heartbeat while nothing ends."""

    def __init__(self, console: Console, board: Board, heartbeat_interval: float = HEARTBEAT_INTERVAL) -> None:
        super().__init__(board)
        self._console = console
        self._interval = heartbeat_interval
        self._printed_at = time.monotonic()
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
        """Print the lines that the event leaves; a step also has one when it starts."""
        with self._lock:
            lines = self.board.apply(event)
            self.print_lines([Text(event.step)] if isinstance(event, StepStarted) else lines)

    def print_lines(self, lines: Iterable[Text]) -> None:
        """Print lines."""
        with self._lock:
            for line in lines:
                self._console.print(line, soft_wrap=True)
                self._printed_at = time.monotonic()

    def _beat(self) -> None:
        while not self._closed.wait(self._interval / 10):
            with self._lock:
                if time.monotonic() - self._printed_at >= self._interval:
                    self.print_lines(self.board.heartbeat())


class LiveView(View):
    """One line for each host, download or build, redrawn; the lines of what has ended stand above."""

    def __init__(self, console: Console, board: Board) -> None:
        super().__init__(board)
        self._console = console
        self._lock = threading.RLock()
        self._live = Live(console=console, get_renderable=self._draw, refresh_per_second=REDRAWS, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def report(self, event: Event) -> None:
        """Print the lines that the event leaves above the live ones."""
        with self._lock:
            lines = self.board.apply(event)
        self.print_lines(lines)

    def print_lines(self, lines: Iterable[Text]) -> None:
        """Print lines above the live ones."""
        for line in lines:
            self._console.print(line, soft_wrap=True)

    def _draw(self) -> Group:
        width, height = self._console.size
        with self._lock:
            return Group(*self.board.live(width - 1, height - 2))


class JsonView(View):
    """One JSON object a line: the event's name, its time and its fields."""

    def __init__(self, stream: IO[str], board: Board) -> None:
        super().__init__(board)
        self._stream = stream
        self._is_read = True
        self._lock = threading.Lock()

    def report(self, event: Event) -> None:
        """Write the event."""
        with self._lock:
            self.board.apply(event)
            self._write(as_json(event))

    def fail(self, error: RunnerError) -> None:
        """Write the run's last line."""
        with self._lock:
            self._write(failure_as_json(error))

    def _write(self, line: str) -> None:
        if self._is_read:
            try:
                self._stream.write(line + "\n")
                self._stream.flush()
            except BrokenPipeError:
                self._is_read = False
                discard_output()


def as_json(event: Event) -> str:
    """Return an event as one line of JSON; the fields are those of runner/events.py."""
    return _object(type(event).__name__, asdict(event))


def failure_as_json(error: RunnerError) -> str:
    """Return the error that ended a run as one line of JSON like an event's."""
    fields = {"message": error.message, "remedy": error.remedy, "details": error.details}
    return _object("Failure", {**fields, "exit_code": int(error.exit_code)})


def _object(name: str, fields: dict[str, Any]) -> str:
    stamp = datetime.now(UTC).isoformat(timespec="milliseconds")
    return json.dumps({"event": name, "time": stamp, **fields}, ensure_ascii=False)


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Continue without output when its reader has gone (`… | head`), since a run must not stop halfway."""
        self.quiet = True
        discard_output()


def discard_output() -> None:
    """Redirect stdout to /dev/null, so that a closed pipe raises no BrokenPipeError at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())


def console(*, stderr: bool = False) -> Console:
    """Return a console that is coloured on a terminal only, and never with NO_COLOR set."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else PIPE_WIDTH
    return _Console(stderr=stderr, highlight=False, markup=False, emoji=False, width=width)


def choose_view(*, as_events: bool, verbose: bool) -> View:
    """Return the view that suits standard output.

    Args:
        as_events: write JSON in place of text.
        verbose: show every task and item.
    """
    board = Board(verbose=verbose)
    if as_events:
        return JsonView(sys.stdout, board)
    terminal = console()
    if terminal.is_terminal and not terminal.is_dumb_terminal:
        return LiveView(terminal, board)
    return PlainView(terminal, board)
