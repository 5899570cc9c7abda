"""What a run looks like: events in, lines out. No terminal, no printing.

`apply` returns the lines that stay (a finished step, a finished role, a note); `live` the lines
that stand below them at this moment and are drawn anew; `summary` the table at the end.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from rich.text import Text

from runner.display import lines
from runner.events import Event, Note, Progress, StepFinished, StepStarted, TaskFinished

ROLES = "roles"
WORTH_A_LINE = 1.0  # seconds: an item that ended sooner leaves no line


@dataclass
class Item:
    """One line of the live part: a host, a download, a build."""

    progress: Progress
    since: float


@dataclass
class Role:
    """A role as far as it has run: `seconds` is from its first task's start to its last one's end."""

    name: str
    started: float
    seconds: float = 0.0
    changed: int = 0
    hosts: set[str] = field(default_factory=set)


@dataclass
class Board:
    """The state of a run as its events tell it."""

    verbose: bool = False
    clock: Callable[[], float] = time.monotonic
    finished: list[StepFinished] = field(default_factory=list)
    role_seconds: dict[str, float] = field(default_factory=dict)
    _running: dict[str, float] = field(default_factory=dict)  # step -> since
    _items: dict[tuple[str, str], Item] = field(default_factory=dict)
    _role: Role | None = None

    def apply(self, event: Event) -> list[Text]:
        """Take in one event and return the lines that it leaves behind."""
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
        """What is going on, in at most `height` lines."""
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
        """The live part in one line for each step, for where lines cannot be drawn anew."""
        now = self.clock()
        return [
            lines.heartbeat(step, now - since, [item.progress for (of, _), item in self._items.items() if of == step])
            for step, since in self._running.items()
        ]

    def summary(self) -> list[Text]:
        """The steps, the roles below theirs, and their seconds."""
        return lines.table(self.finished, self.role_seconds)

    def _step_finished(self, event: StepFinished) -> list[Text]:
        left = self._role_finished() if event.step == ROLES else []
        self._running.pop(event.step, None)
        self._items = {key: item for key, item in self._items.items() if key[0] != event.step}
        self.finished.append(event)
        return [*left, lines.step(event)]

    def _progress(self, event: Progress, now: float) -> list[Text]:
        key = (event.step, event.item)
        if event.finished:
            item = self._items.pop(key, None)
            seconds = now - item.since if item else 0.0
            worth = event.doing and (seconds >= WORTH_A_LINE or self.verbose)
            return [lines.item_finished(event, seconds)] if worth else []
        before = self._items.get(key)
        self._items[key] = Item(event, before.since if before and before.progress.doing else now)
        return []

    def _task_finished(self, event: TaskFinished, now: float) -> list[Text]:
        host = (ROLES, event.host)
        if host in self._items:  # its line stays, but it waits
            self._items[host] = Item(Progress(ROLES, event.host, ""), now)
        left = []
        if self._role is None or self._role.name != event.role:
            left = self._role_finished()
            self._role = Role(event.role, now - event.seconds)
        role = self._role
        role.seconds = now - role.started
        role.hosts.add(event.host)
        role.changed += event.status == "changed"
        if self.verbose or event.status in ("failed", "unreachable"):
            left.append(lines.task(event))
        return left

    def _role_finished(self) -> list[Text]:
        role, self._role = self._role, None
        if role is None or not role.name:
            return []
        self.role_seconds[role.name] = self.role_seconds.get(role.name, 0.0) + role.seconds
        return [lines.role(role.name, role.seconds, role.changed, len(role.hosts))]
