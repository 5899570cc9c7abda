"""A run from its lock to its last line: displayed, logged, and summed up however it ends."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.text import Text

from runner import stopping
from runner.display import EVENTS, Board, JsonView, choose_view, lines, read_events
from runner.errors import RunnerError
from runner.events import Event, Report, TaskFinished
from runner.state import State, os_errors_translated, relative_to_cwd


@dataclass
class Run:
    """A run in progress; a command may add `addresses`, which are shown at its end."""

    state: State
    directory: Path
    report: Report
    addresses: dict[str, str] = field(default_factory=dict)


@contextmanager
def run_session(state: State, *, as_events: bool, verbose: bool) -> Iterator[Run]:
    """Hold the checkout's lock, display and log what is reported, and end with the table of steps.

    Raises LockedError if another run is active in this checkout.
    """
    with state.locked():
        # Ansible and Vagrant go on after a runner that was killed, and variables lie in Ansible's directory.
        stopping.kill(stopping.with_env_marker(f"INAETICS_RUN={state.runs}/"))
        for left in state.runs.glob("*/inaetics-roles-*"):
            shutil.rmtree(left, ignore_errors=True)
        directory = state.new_run()
        record = directory / EVENTS
        with record.open("w", encoding="utf-8") as file, choose_view(as_events=as_events, verbose=verbose) as view:
            log = JsonView(Console(file=file), Board())

            def report(event: Event) -> None:
                log.report(event)
                view.report(event)

            run = Run(state, directory, report)
            try:
                with os_errors_translated():
                    yield run
            except RunnerError as error:
                log.fail(error)
                view.fail(error)
                raise
            finally:
                places = {**run.addresses, "this run": f"{relative_to_cwd(directory)}/"}
                view.print_lines([Text(), *view.board.summary(), Text(), *lines.key_value_lines(places)])


def find_run(runs: Path, name: Path | None) -> tuple[Path, list[tuple[float, Event]]] | None:
    """Return directory and events of a run with this name or path, or of the last one that has run tasks, if any."""
    for directory in (runs / name, name) if name else sorted(runs.glob("*"), reverse=True):
        recorded = read_events(directory) if (directory / EVENTS).is_file() else []
        if recorded and (name or any(isinstance(event, TaskFinished) for _, event in recorded)):
            return directory, recorded
    return None
