"""The display of a run without a terminal: events in, lines out."""

import threading
import time
from collections.abc import Callable

from rich.text import Text

from runner.display.lines import BAD, CHANGE, GOOD, QUIET, STRONG, amount, note, seconds
from runner.events import Event, Note, Progress, StepFinished, StepStarted, TaskFinished

ROLES = "roles"
MIN_SECONDS_SHOWN = 1.0  # an item that ended sooner leaves no line
NAME_WIDTH = 18
VALIDATION = "Validating arguments against arg spec"  # what Ansible does with each role, also with those not selected
STYLES = {"ok": GOOD, "changed": CHANGE, "interrupted": CHANGE, "skipped": QUIET, "failed": BAD, "unreachable": BAD}


class Board:
    """The state of a run, derived from its events; jobs' threads report them while another one draws."""

    def __init__(self, *, verbose: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        self._verbose = verbose
        self._clock = clock
        self._lock = threading.Lock()
        self._finished: list[StepFinished] = []
        self._role_seconds: dict[str, float] = {}
        self._running: dict[str, float] = {}  # start by step
        # Hosts, downloads and builds in progress, and since when they do the same, by step and name.
        self._items: dict[tuple[str, str], tuple[Progress, float]] = {}
        # Hosts need not be at the same role. By role: its tasks until its line is shown, when its first task began, and
        # its place in the order in which roles were begun. By host: the place of the role that it is at.
        self._tasks: dict[str, list[TaskFinished]] = {}
        self._role_started: dict[str, float] = {}
        self._role_ended: dict[str, float] = {}
        self._order: dict[str, int] = {}
        self._reached: dict[str, int] = {}

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
        """Return the lines of everything in progress, to be redrawn: at most `height`, cut to `width` columns."""
        now = self._clock()
        shown: list[Text] = []
        with self._lock:
            for step, since in self._running.items():
                shown.append(Text.assemble((f"{step:<{NAME_WIDTH}}", STRONG), (f"{seconds(now - since):>10}", QUIET)))
                items = self._items_of(step)
                longest = max((len(progress.item) for progress, _ in items), default=0)
                for progress, started in items:
                    activity = _activity(progress)
                    line = Text(f"  {progress.item:<{longest}}  {activity}")
                    if activity:
                        tail = f"  {seconds(now - started)}"
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
                for progress, _ in self._items_of(step):
                    by_activity.setdefault(_activity(progress), []).append(progress.item)
                doing = "; ".join(
                    f"{', '.join(names)}: {activity}" for activity, names in by_activity.items() if activity
                )
                shown.append(Text(f"  … {step} {seconds(now - since)}{': ' if doing else ''}{doing}", style=QUIET))
        return shown

    def totals(self) -> list[tuple[str, float, str]]:
        """Return name, seconds and style of each step that ended, with the roles, indented, below theirs."""
        rows: list[tuple[str, float, str]] = []
        for event in self._finished:
            rows.append((event.step, event.seconds, STYLES[event.outcome]))
            if event.step == ROLES:
                rows += [(f"  {name}", spent, QUIET) for name, spent in self._role_seconds.items()]
        return rows

    def summary(self) -> list[Text]:
        """Return the table of steps and seconds, with the roles below their step."""
        rows = [*self.totals(), ("total", sum(event.seconds for event in self._finished), STRONG)]
        wide = max(len(name) for name, _, _ in rows) + 2
        header = Text(f"{'step':<{wide}}{'seconds':>8}", style=STRONG)
        return [header, *(Text(f"{name:<{wide}}{spent:>8.1f}", style=style) for name, spent, style in rows)]

    def _items_of(self, step: str) -> list[tuple[Progress, float]]:
        return [item for (of, _), item in self._items.items() if of == step]

    def _step_finished(self, event: StepFinished) -> list[Text]:
        finished = self._roles_left_behind(everywhere=True) if event.step == ROLES else []
        self._running.pop(event.step, None)
        self._items = {key: item for key, item in self._items.items() if key[0] != event.step}
        self._finished.append(event)
        result = ": ".join(part for part in ("" if event.outcome == "ok" else event.outcome, event.summary) if part)
        name = (f"{event.step:<{NAME_WIDTH}}", STYLES[event.outcome])
        return [*finished, Text.assemble(name, f"{seconds(event.seconds):>10}", f"  {result}" if result else "")]

    def _progress(self, event: Progress, now: float) -> list[Text]:
        key = (event.step, event.item)
        if event.finished:
            elapsed = now - self._items.pop(key, (event, now))[1]
            if event.step == ROLES:
                self._reached.pop(event.item, None)
                return self._roles_left_behind()
            is_shown = event.doing and (elapsed >= MIN_SECONDS_SHOWN or self._verbose)
            return [Text.assemble(f"  {event.item}: {event.doing}  ", (seconds(elapsed), QUIET))] if is_shown else []
        before, since = self._items.get(key, (event, now))
        self._items[key] = (event, since if before.doing else now)
        return []

    def _task_finished(self, event: TaskFinished, now: float) -> list[Text]:
        host = (ROLES, event.host)
        if host in self._items:  # its line stays while it waits for the other hosts
            self._items[host] = (Progress(ROLES, event.host, ""), now)
        self._reached[event.host] = self._order.setdefault(event.role, len(self._order))
        finished = self._roles_left_behind()
        if event.role not in self._tasks:
            self._role_started[event.role] = now - event.seconds
        self._role_ended[event.role] = now
        self._tasks.setdefault(event.role, []).append(event)
        if self._verbose or event.status in ("failed", "unreachable"):
            where = " : ".join(part for part in (event.role, event.task) if part)
            status = (f"{event.status:<11}", STYLES[event.status])
            tail = (seconds(event.seconds), QUIET)
            finished.append(Text.assemble(f"  {event.host:<{NAME_WIDTH - 2}}", status, f"{where}  ", tail))
        return finished

    def _roles_left_behind(self, *, everywhere: bool = False) -> list[Text]:
        """Return the line of each role that no host is at, or is still to come to."""
        behind = min(self._reached.values(), default=len(self._order))
        roles = [role for role in self._tasks if everywhere or self._order[role] < behind]
        return [line for role in roles for line in self._role_finished(role)]

    def _role_finished(self, name: str) -> list[Text]:
        tasks = self._tasks.pop(name)
        if not name or all(task.task.startswith(VALIDATION) for task in tasks):
            return []
        spent = self._role_ended[name] - self._role_started[name]
        self._role_seconds[name] = self._role_seconds.get(name, 0.0) + spent
        changed, hosts = sum(task.status == "changed" for task in tasks), len({task.host for task in tasks})
        line = Text(f"  {name:<{NAME_WIDTH - 2}}{seconds(spent):>10}  ")
        line.append(f"changed={changed}", CHANGE if changed else GOOD)
        return [line.append(f" on {hosts} host{'' if hosts == 1 else 's'}")]


def _activity(progress: Progress) -> str:
    return f"{progress.doing} {amount(progress)}".strip()
