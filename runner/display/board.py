"""The display of a run without a terminal: events in, lines out."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from rich.text import Text

from runner.display import lines
from runner.events import Event, Note, Progress, StepFinished, StepStarted, TaskFinished

ROLES = "roles"
MIN_SECONDS_SHOWN = 1.0  # an item that ended sooner leaves no line


@dataclass
class Item:
    """A line of the live part: a host, a download or a build."""

    progress: Progress
    since: float


@dataclass
class Role:
    """A role in progress; `seconds` is from the start of its first task to the end of its last one."""

    name: str
    started: float
    seconds: float = 0.0
    changed: int = 0
    hosts: set[str] = field(default_factory=set)


@dataclass
class Board:
    """The state of a run, derived from its events."""

    verbose: bool = False
    clock: Callable[[], float] = time.monotonic
    finished: list[StepFinished] = field(default_factory=list)
    role_seconds: dict[str, float] = field(default_factory=dict)
    _running: dict[str, float] = field(default_factory=dict)  # start by step
    _items: dict[tuple[str, str], Item] = field(default_factory=dict)
    _role: Role | None = None

    def apply(self, event: Event) -> list[Text]:
        """Take in one event and return the lines that it leaves: a finished step or role, a note."""
        now = self.clock()
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
                return lines.note(event)

    def live(self, width: int, height: int) -> list[Text]:
        """Return the lines of everything in progress, to be redrawn.

        Args:
            width: in columns, to which lines are cut.
            height: the largest number of lines.
        """
        now = self.clock()
        shown: list[Text] = []
        for step, since in self._running.items():
            shown.append(lines.heading(step, now - since))
            items = [item for (of, _), item in self._items.items() if of == step]
            names = max((len(item.progress.item) for item in items), default=0)
            shown += [lines.item(entry.progress, now - entry.since, names, width) for entry in items]
        if len(shown) > height > 1:
            shown[height - 1 :] = [Text(f"  … and {len(shown) - height + 1} more", style=lines.QUIET)]
        return shown

    def heartbeat(self) -> list[Text]:
        """Return everything in progress as one line for each step, for output that cannot be redrawn."""
        now = self.clock()
        return [
            lines.heartbeat(step, now - since, [item.progress for (of, _), item in self._items.items() if of == step])
            for step, since in self._running.items()
        ]

    def summary(self) -> list[Text]:
        """Return the table of steps and roles with their seconds."""
        return lines.table(self.finished, self.role_seconds)

    def _step_finished(self, event: StepFinished) -> list[Text]:
        finished = self._role_finished() if event.step == ROLES else []
        self._running.pop(event.step, None)
        self._items = {key: item for key, item in self._items.items() if key[0] != event.step}
        self.finished.append(event)
        return [*finished, lines.step(event)]

    def _progress(self, event: Progress, now: float) -> list[Text]:
        key = (event.step, event.item)
        if event.finished:
            item = self._items.pop(key, None)
            seconds = now - item.since if item else 0.0
            is_shown = event.doing and (seconds >= MIN_SECONDS_SHOWN or self.verbose)
            return [lines.item_finished(event, seconds)] if is_shown else []
        before = self._items.get(key)
        self._items[key] = Item(event, before.since if before and before.progress.doing else now)
        return []

    def _task_finished(self, event: TaskFinished, now: float) -> list[Text]:
        host = (ROLES, event.host)
        if host in self._items:  # its line stays while it waits for the other hosts
            self._items[host] = Item(Progress(ROLES, event.host, ""), now)
        finished = []
        if self._role is None or self._role.name != event.role:
            finished = self._role_finished()
            self._role = Role(event.role, now - event.seconds)
        role = self._role
        role.seconds = now - role.started
        role.hosts.add(event.host)
        role.changed += event.status == "changed"
        if self.verbose or event.status in ("failed", "unreachable"):
            finished.append(lines.task(event))
        return finished

    def _role_finished(self) -> list[Text]:
        role, self._role = self._role, None
        if role is None or not role.name:
            return []
        self.role_seconds[role.name] = self.role_seconds.get(role.name, 0.0) + role.seconds
        return [lines.role(role.name, role.seconds, role.changed, len(role.hosts))]
