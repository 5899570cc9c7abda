"""The display of a run without a terminal: events in, lines out."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from rich.text import Text

from runner.display.lines import BAD, CHANGE, GOOD, QUIET, STRONG, amount, note, seconds
from runner.events import Event, Note, Progress, StepFinished, StepStarted, TaskFinished

ROLES = "roles"
MIN_SECONDS_SHOWN = 1.0  # an item that ended sooner leaves no line
NAME_WIDTH = 18
STYLES = {"ok": GOOD, "changed": CHANGE, "interrupted": CHANGE, "skipped": QUIET, "failed": BAD, "unreachable": BAD}


@dataclass
class _Item:
    """A line of the live part: a host, a download or a build, and since when it does the same."""

    progress: Progress
    since: float

    @property
    def activity(self) -> str:
        return f"{self.progress.doing} {amount(self.progress)}".strip()


@dataclass
class _Role:
    """A role in progress; `seconds` is from the start of its first task to the end of its last one."""

    name: str
    started: float
    seconds: float = 0.0
    changed: int = 0
    hosts: set[str] = field(default_factory=set)


class Board:
    """The state of a run, derived from its events; jobs' threads report them while another one draws.

    Args:
        verbose: show every task and item.
        clock: returns the time in seconds.
    """

    def __init__(self, *, verbose: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        self._verbose = verbose
        self._clock = clock
        self._lock = threading.Lock()
        self._finished: list[StepFinished] = []
        self._role_seconds: dict[str, float] = {}
        self._running: dict[str, float] = {}  # start by step
        self._items: dict[tuple[str, str], _Item] = {}
        self._role: _Role | None = None

    def apply(self, event: Event) -> list[Text]:
        """Take in one event and return the lines that it leaves: a finished step or role, a note."""
        now = self._clock()
        with self._lock:
            match event:
                case StepStarted():
                    self._running[event.step] = now
                    return []
                case StepFinished():
                    return self._step_finished(event)
                case Progress():
                    return self._progress(event, now)
                case TaskFinished():
                    return self._task_finished(event, now)
                case Note():
                    return note(event)

    def live(self, width: int, height: int) -> list[Text]:
        """Return the lines of everything in progress, to be redrawn.

        Args:
            width: in columns, to which lines are cut.
            height: the largest number of lines.
        """
        now = self._clock()
        shown: list[Text] = []
        with self._lock:
            for step, since in self._running.items():
                shown.append(Text.assemble((f"{step:<{NAME_WIDTH}}", STRONG), (f"{seconds(now - since):>10}", QUIET)))
                items = self._items_of(step)
                longest = max((len(item.progress.item) for item in items), default=0)
                for item in items:
                    line = Text(f"  {item.progress.item:<{longest}}  {item.activity}")
                    if item.activity:
                        tail = f"  {seconds(now - item.since)}"
                        line.truncate(max(width - len(tail), 10), overflow="ellipsis")
                        line.append(tail, style=QUIET)
                    shown.append(line)
        if len(shown) > height > 1:
            shown[height - 1 :] = [Text(f"  … and {len(shown) - height + 1} more", style=QUIET)]
        return shown

    def heartbeat(self) -> list[Text]:
        """Return everything in progress as one line for each step, for output that cannot be redrawn."""
        now = self._clock()
        shown: list[Text] = []
        with self._lock:
            for step, since in self._running.items():
                by_activity: dict[str, list[str]] = {}
                for item in self._items_of(step):
                    by_activity.setdefault(item.activity, []).append(item.progress.item)
                doing = "; ".join(
                    f"{', '.join(names)}: {activity}" for activity, names in by_activity.items() if activity
                )
                shown.append(Text(f"  … {step} {seconds(now - since)}{': ' if doing else ''}{doing}", style=QUIET))
        return shown

    def summary(self) -> list[Text]:
        """Return the table of steps and seconds, with the roles below their step."""
        rows: list[tuple[str, float, str]] = []
        for event in self._finished:
            rows.append((event.step, event.seconds, STYLES[event.outcome]))
            if event.step == ROLES:
                rows += [(f"  {name}", spent, QUIET) for name, spent in self._role_seconds.items()]
        rows.append(("total", sum(event.seconds for event in self._finished), STRONG))
        wide = max(len(name) for name, _, _ in rows) + 2
        header = Text(f"{'step':<{wide}}{'seconds':>8}", style=STRONG)
        return [header, *(Text(f"{name:<{wide}}{spent:>8.1f}", style=style) for name, spent, style in rows)]

    def _items_of(self, step: str) -> list[_Item]:
        return [item for (of, _), item in self._items.items() if of == step]

    def _step_finished(self, event: StepFinished) -> list[Text]:
        finished = self._role_finished() if event.step == ROLES else []
        self._running.pop(event.step, None)
        self._items = {key: item for key, item in self._items.items() if key[0] != event.step}
        self._finished.append(event)
        result = ": ".join(part for part in ("" if event.outcome == "ok" else event.outcome, event.summary) if part)
        name = (f"{event.step:<{NAME_WIDTH}}", STYLES[event.outcome])
        return [*finished, Text.assemble(name, f"{seconds(event.seconds):>10}", f"  {result}" if result else "")]

    def _progress(self, event: Progress, now: float) -> list[Text]:
        key = (event.step, event.item)
        if event.finished:
            item = self._items.pop(key, None)
            elapsed = now - item.since if item else 0.0
            is_shown = event.doing and (elapsed >= MIN_SECONDS_SHOWN or self._verbose)
            return [Text.assemble(f"  {event.item}: {event.doing}  ", (seconds(elapsed), QUIET))] if is_shown else []
        before = self._items.get(key)
        self._items[key] = _Item(event, before.since if before and before.progress.doing else now)
        return []

    def _task_finished(self, event: TaskFinished, now: float) -> list[Text]:
        host = (ROLES, event.host)
        if host in self._items:  # its line stays while it waits for the other hosts
            self._items[host] = _Item(Progress(ROLES, event.host, ""), now)
        finished = []
        if self._role is None or self._role.name != event.role:
            finished = self._role_finished()
            self._role = _Role(event.role, now - event.seconds)
        role = self._role
        role.seconds = now - role.started
        role.hosts.add(event.host)
        role.changed += event.status == "changed"
        if self._verbose or event.status in ("failed", "unreachable"):
            where = " : ".join(part for part in (event.role, event.task) if part)
            status = (f"{event.status:<11}", STYLES[event.status])
            tail = (seconds(event.seconds), QUIET)
            finished.append(Text.assemble(f"  {event.host:<{NAME_WIDTH - 2}}", status, f"{where}  ", tail))
        return finished

    def _role_finished(self) -> list[Text]:
        role, self._role = self._role, None
        if role is None or not role.name:
            return []
        self._role_seconds[role.name] = self._role_seconds.get(role.name, 0.0) + role.seconds
        changes = (f"changed={role.changed}", CHANGE if role.changed else GOOD)
        name = f"  {role.name:<{NAME_WIDTH - 2}}{seconds(role.seconds):>10}  "
        return [Text.assemble(name, changes, f" on {len(role.hosts)} host{'' if len(role.hosts) == 1 else 's'}")]
