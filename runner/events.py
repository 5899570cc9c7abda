"""The events of a run: a step never prints, it calls `report(event)`, and the display shows the event."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class StepStarted:
    """A step of a run (doctor, prepare, hosts, roles, ready …) begins."""

    step: str


@dataclass
class StepFinished:
    """A step ended; `summary`, which the step may set, is its result in a few words."""

    step: str
    seconds: float
    outcome: Literal["ok", "failed", "interrupted"]
    summary: str = ""


@dataclass(frozen=True)
class Progress:
    """The progress of one item of a step: a download, a build, a host."""

    step: str
    item: str  # names its line on the display
    doing: str  # its current activity ("kube-node : Install kubelet")
    done: float | None = None  # None where unknown, as `total`
    total: float | None = None
    unit: str = ""  # of `done` and `total`: "bytes", "packages"
    finished: bool = False  # closes the line


@dataclass(frozen=True)
class Note:
    """A message for the user: a source that was skipped, a remedy that was applied."""

    step: str
    message: str
    level: Literal["info", "warning"] = "info"


@dataclass(frozen=True)
class TaskFinished:
    """One Ansible task ended on one host."""

    host: str
    role: str
    task: str
    status: Literal["ok", "changed", "skipped", "failed", "unreachable"]
    seconds: float


Event = StepStarted | StepFinished | Progress | Note | TaskFinished
Report = Callable[[Event], None]


@contextmanager
def step(name: str, report: Report) -> Iterator[StepFinished]:
    """Report when a step starts and how it ends; yield the event of its end, for the summary."""
    started = time.monotonic()
    end = StepFinished(name, 0.0, "ok")
    report(StepStarted(name))
    try:
        yield end
    except BaseException as error:
        end.outcome = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
        end.summary = ""
        raise
    finally:
        end.seconds = time.monotonic() - started
        report(end)
