"""The views of a run: drawn on a terminal, printed as lines, or written as JSON."""

import json
import os
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from runner.display.board import Board
from runner.errors import RunnerError
from runner.events import Event, StepStarted

EVENTS = "events.jsonl"  # in the directory of a run
REDRAWS = 8  # a second
HEARTBEAT_INTERVAL = 10.0  # seconds without a line after which a run without a terminal prints what it does
PIPE_WIDTH = 160  # columns: a file or a pipe has no width of its own


class View:
    """The lines of a run on a console; `report` may be called from any thread."""

    def __init__(self, console: Console, board: Board) -> None:
        self.board = board
        self.printed_at = time.monotonic()
        self._console = console

    def report(self, event: Event) -> None:
        """Show one event."""
        self.print_lines(self.board.apply(event))

    def print_lines(self, lines: Iterable[Text]) -> None:
        """Print lines for people, such as the table at the end; programs have the events."""
        if shown := list(lines):  # in one call, so that no other thread's lines come between
            self._console.print(*shown, sep="\n", soft_wrap=True)
            self.printed_at = time.monotonic()

    def fail(self, error: RunnerError) -> None:
        """Write why the run ends, for programs; people read it on standard error."""


class JsonView(View):
    """One JSON object a line: the event's name, its time and its fields."""

    def report(self, event: Event) -> None:
        """Write the event."""
        self._console.out(as_json(event), highlight=False)

    def print_lines(self, lines: Iterable[Text]) -> None:
        """Print nothing."""

    def fail(self, error: RunnerError) -> None:
        """Write the run's last line."""
        self._console.out(as_json(error), highlight=False)


class _PlainView(View):
    """Says also when a step starts, since its line comes only at its end."""

    def report(self, event: Event) -> None:
        if isinstance(event, StepStarted):
            self.print_lines([Text(event.step)])
        super().report(event)


@contextmanager
def plain_view(console: Console, board: Board, heartbeat_interval: float = HEARTBEAT_INTERVAL) -> Iterator[View]:
    """Print a line for each thing that has ended, and a heartbeat while nothing ends."""
    view = _PlainView(console, board)
    closed = threading.Event()

    def beat() -> None:
        while not closed.wait(heartbeat_interval / 10):
            if time.monotonic() - view.printed_at >= heartbeat_interval:
                view.print_lines(board.heartbeat())

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield view
    finally:
        closed.set()
        thread.join()


@contextmanager
def live_view(console: Console, board: Board) -> Iterator[View]:
    """Redraw one line for each host, download or build; the lines of what has ended stand above."""

    def draw() -> Group:
        width, height = console.size
        return Group(*board.live(width - 1, height - 2))

    with Live(console=console, get_renderable=draw, refresh_per_second=REDRAWS, transient=True):
        yield View(console, board)


def as_json(event: Event | RunnerError) -> str:
    """Return an event, or the error that ended a run, as one line of JSON; users' programs read these names."""
    if isinstance(event, RunnerError):
        name, fields = "Failure", {key: getattr(event, key) for key in ("message", "remedy", "details", "exit_code")}
    else:
        name, fields = type(event).__name__, asdict(event)
    stamp = datetime.now(UTC).isoformat(timespec="milliseconds")
    return json.dumps({"event": name, "time": stamp, **fields}, ensure_ascii=False)


def read_events(run: Path) -> list[tuple[float, Event]]:
    """Return the events on record in a run's directory, each with its time in seconds since 1970."""
    kinds = {kind.__name__: kind for kind in get_args(Event)}
    found: list[tuple[float, Event]] = []
    for line in (run / EVENTS).read_text(encoding="utf-8").splitlines():
        try:
            fields = json.loads(line)
        except ValueError:  # a line that a full disk cut short, or that a run still writes
            continue
        kind, moment = kinds.get(fields.pop("event")), datetime.fromisoformat(fields.pop("time")).timestamp()
        if kind:  # the line of a failure is no event
            found.append((moment, kind(**fields)))
    return found


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Continue without output when its reader has gone (`… | head`), since a run must not stop halfway."""
        self.quiet = True
        # Or the closed pipe would raise BrokenPipeError again when Python flushes stdout at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def console(*, stderr: bool = False) -> Console:
    """Return a console that is coloured on a terminal only, and never with NO_COLOR set."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else PIPE_WIDTH
    return _Console(stderr=stderr, highlight=False, markup=False, emoji=False, width=width)


def choose_view(*, as_events: bool, verbose: bool) -> AbstractContextManager[View]:
    """Return the view that suits standard output; with `verbose`, the text has every task and item."""
    board, out = Board(verbose=verbose), console()
    if as_events:
        return nullcontext(JsonView(out, board))
    if out.is_terminal and not out.is_dumb_terminal:
        return live_view(out, board)
    return plain_view(out, board)
