"""A run from its lock to its last line: displayed, logged, and summed up however it ends."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from rich.text import Text

from runner.display import as_json, choose_view
from runner.display.lines import key_value_lines
from runner.errors import RunnerError
from runner.events import Event, Report
from runner.state import State, relative_to_cwd


class RunLog:
    """The file `events.jsonl` in a run's directory, with one event on each line."""

    def __init__(self, directory: Path) -> None:
        self._lock = threading.Lock()
        self._stream = (directory / "events.jsonl").open("w", encoding="utf-8", buffering=1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def report(self, event: Event) -> None:
        """Append an event; may be called from any thread."""
        self._write(as_json(event))

    def fail(self, error: RunnerError) -> None:
        """Append the error that ended the run."""
        self._write(as_json(error))

    def _write(self, line: str) -> None:
        with self._lock:
            self._stream.write(line + "\n")


@dataclass
class Run:
    """A run in progress; a command may add `addresses`, which are shown at its end."""

    report: Report
    directory: Path
    addresses: dict[str, str] = field(default_factory=dict)


@contextmanager
def run_session(state: State, *, as_events: bool, verbose: bool) -> Iterator[Run]:
    """Hold the checkout's lock, display and log what is reported, and end with the table of steps.

    Args:
        state: of the checkout that the run is for.
        as_events: write JSON lines to standard output in place of text.
        verbose: show every task, download and host.

    Raises:
        LockedError: another run is active in this checkout.
    """
    with state.locked():
        directory = state.new_run()
        with RunLog(directory) as log, choose_view(as_events=as_events, verbose=verbose) as view:

            def report(event: Event) -> None:
                log.report(event)
                view.report(event)

            run = Run(report, directory)
            try:
                yield run
            except RunnerError as error:
                log.fail(error)
                view.fail(error)
                raise
            finally:
                places = {**run.addresses, "this run": f"{relative_to_cwd(directory)}/"}
                view.print_lines([Text(), *view.board.summary(), Text(), *key_value_lines(places)])
