"""A run from its lock to its last line: shown, written down, and summed up however it ends."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.text import Text

from runner import lock
from runner.display.lines import named
from runner.display.record import Record
from runner.display.views import choose
from runner.errors import RunnerError
from runner.events import Event, Report
from runner.paths import near


@dataclass
class Run:
    """What a command needs of its run; `addresses` are told when it ends well."""

    report: Report
    directory: Path
    addresses: dict[str, str] = field(default_factory=dict)


@contextmanager
def running(state: Path, as_json: bool, verbose: bool) -> Iterator[Run]:
    """Hold the checkout's lock, show and record what is reported, and end in the table of steps.

    Raises:
        LockedError: another run is at work in this checkout.
    """
    with lock.held(state), Record(state) as record, choose(as_json, verbose) as view:

        def report(event: Event) -> None:
            record.report(event)
            view.report(event)

        run = Run(report, record.directory)
        try:
            yield run
        except RunnerError as error:
            record.fail(error)
            view.fail(error)
            raise
        finally:
            places = {**run.addresses, "this run": f"{near(record.directory)}/"}
            view.say([Text(), *view.board.summary(), Text(), *named(places)])
