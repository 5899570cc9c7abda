"""What a run tells about itself.

A step never prints: it calls `report(event)`. The display turns events into live lines, plain
lines or JSON; a test collects them in a list.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class StepStarted:
    """A step of a run (doctor, prepare, hosts, roles, ready …) begins."""

    step: str


@dataclass(frozen=True)
class StepFinished:
    """A step ended; `summary` is what it achieved in a few words."""

    step: str
    seconds: float
    outcome: Literal["ok", "failed", "interrupted"]
    summary: str = ""


@dataclass(frozen=True)
class Progress:
    """Where one item of a step stands: a download, a build, a host.

    `item` names its line on the display, `doing` what happens now ("kube-node : Install kubelet").
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
    """One line for the person: a source that was skipped, a remedy that was applied."""

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
