"""The events of a run.

A step never prints: it calls `report(event)`. The display turns events into live lines, plain
lines or JSON; a test collects them in a list.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class StepStarted:
    """A step of a run (doctor, prepare, hosts, roles, ready …) begins."""

    step: str


@dataclass(frozen=True)
class StepFinished:
    """A step ended; `summary` is its result in a few words."""

    step: str
    seconds: float
    outcome: Literal["ok", "failed", "interrupted"]
    summary: str = ""


@dataclass(frozen=True)
class Progress:
    """The progress of one item of a step: a download, a build, a host.

    `item` names its line on the display, `doing` its current activity ("kube-node : Install kubelet").
    `done` and `total` are in `unit` ("bytes", "packages"); None where unknown. `finished` closes the line.
    """

    step: str
    item: str
    doing: str
    done: float | None = None
    total: float | None = None
    unit: str = ""
    finished: bool = False


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


@dataclass
class StepResult:
    """The result of a step in a few words; the step sets it for its last line."""

    summary: str = ""


@contextmanager
def step(name: str, report: Report) -> Iterator[StepResult]:
    """Report when a step starts and how it ends."""
    started = time.monotonic()
    result = StepResult()

    def finish(outcome: Literal["ok", "failed", "interrupted"], summary: str = "") -> None:
        report(StepFinished(name, time.monotonic() - started, outcome, summary))

    report(StepStarted(name))
    try:
        yield result
    except KeyboardInterrupt:
        finish("interrupted")
        raise
    except BaseException:
        finish("failed")
        raise
    finish("ok", result.summary)
