"""The lines that people read, one function for each kind."""

from collections.abc import Iterable, Mapping, Sequence

from rich.text import Text

from runner.errors import RunnerError
from runner.events import Note, Progress, StepFinished, TaskFinished

QUIET, GOOD, CHANGE, BAD, STRONG = "dim", "green", "yellow", "bold red", "bold"
NAME_WIDTH = 18
OUTCOME_STYLES = {"ok": GOOD, "failed": BAD, "interrupted": CHANGE}
STATUS_STYLES = {"ok": GOOD, "changed": CHANGE, "skipped": QUIET, "failed": BAD, "unreachable": BAD}
DIFF_STYLES = {"+": GOOD, "-": "red", "@": "cyan"}
UNITS = ("bytes", "kB", "MB", "GB")


def seconds(value: float) -> str:
    """Return a duration as `0.4 s`, `12.0 s` or `2 min 05 s`."""
    if round(value, 1) < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest:02} s"


def amount(progress: Progress) -> str:
    """Return an amount as `12/230 packages` or `12.3/40.0 MB`, or nothing if it is unknown."""
    if progress.done is None:
        return ""
    scale, unit = 1.0, progress.unit
    if unit == "bytes":
        power = 0
        while power < len(UNITS) - 1 and max(progress.done, progress.total or 0) >= 1000 ** (power + 1):
            power += 1
        scale, unit = 1000.0**power, UNITS[power]
    form = ".1f" if scale > 1 else ".0f"
    total = "" if progress.total is None else f"/{progress.total / scale:{form}}"
    return f"{progress.done / scale:{form}}{total} {unit}".rstrip()


def heading(name: str, elapsed: float) -> Text:
    """Return the line of a running step."""
    return Text.assemble((f"{name:<{NAME_WIDTH}}", STRONG), (f"{seconds(elapsed):>10}", QUIET))


def step(event: StepFinished) -> Text:
    """Return the line of a finished step."""
    line = Text.assemble(
        (f"{event.step:<{NAME_WIDTH}}", OUTCOME_STYLES[event.outcome]), f"{seconds(event.seconds):>10}"
    )
    parts = ": ".join(word for word in ("" if event.outcome == "ok" else event.outcome, event.summary) if word)
    return line.append(f"  {parts}") if parts else line


def role(name: str, elapsed: float, changed: int, hosts: int) -> Text:
    """Return the line of a role that has finished on all its hosts."""
    changes = (f"changed={changed}", CHANGE if changed else GOOD)
    plural = "" if hosts == 1 else "s"
    return Text.assemble(f"  {name:<{NAME_WIDTH - 2}}{seconds(elapsed):>10}  ", changes, f" on {hosts} host{plural}")


def item(progress: Progress, elapsed: float, name_width: int, width: int) -> Text:
    """Return the line of a host, a download or a build in progress."""
    activity = _activity(progress)
    line = Text.assemble(f"  {progress.item:<{name_width}}  ", activity)
    if not activity:
        return line
    tail = f"  {seconds(elapsed)}"
    line.truncate(max(width - len(tail), 10), overflow="ellipsis", pad=False)
    return line.append(tail, style=QUIET)


def _activity(progress: Progress) -> str:
    return " ".join(part for part in (progress.doing, amount(progress)) if part)


def item_finished(progress: Progress, elapsed: float) -> Text:
    """Return the line of a host, a download or a build that has finished."""
    return Text.assemble(f"  {progress.item}: {progress.doing}  ", (seconds(elapsed), QUIET))


def heartbeat(name: str, elapsed: float, items: Sequence[Progress]) -> Text:
    """Return the line of a long step, printed now and then so that nobody thinks that it hangs."""
    by_activity: dict[str, list[str]] = {}
    for progress in items:
        by_activity.setdefault(_activity(progress), []).append(progress.item)
    now = "; ".join(f"{', '.join(names)}: {activity}" for activity, names in by_activity.items() if activity)
    return Text(f"  … {name} {seconds(elapsed)}{': ' if now else ''}{now}", style=QUIET)


def task(event: TaskFinished) -> Text:
    """Return the line of one task on one host."""
    where = " : ".join(part for part in (event.role, event.task) if part)
    return Text.assemble(
        f"  {event.host:<{NAME_WIDTH - 2}}",
        (f"{event.status:<11}", STATUS_STYLES[event.status]),
        f"{where}  ",
        (seconds(event.seconds), QUIET),
    )


def note(event: Note) -> list[Text]:
    """Return the lines of a note; a difference between files in it is coloured as usual."""
    first, *rest = event.message.splitlines() or [""]
    head = Text(f"  {first}", style=CHANGE if event.level == "warning" else "")
    return [head, *(Text(f"    {line}", style=DIFF_STYLES.get(line[:1], "")) for line in rest)]


def table(steps: Iterable[StepFinished], roles: Mapping[str, float]) -> list[Text]:
    """Return the table of steps and seconds, with the roles below their step."""
    rows: list[tuple[str, float, str]] = []
    total = 0.0
    for event in steps:
        rows.append((event.step, event.seconds, OUTCOME_STYLES[event.outcome]))
        total += event.seconds
        if event.step == "roles":
            rows += [(f"  {name}", spent, QUIET) for name, spent in roles.items()]
    wide = max((len(name) for name, _, _ in rows), default=0) + 2
    body = [Text(f"{name:<{wide}}{spent:>8.1f}", style=style) for name, spent, style in rows]
    header = Text(f"{'step':<{wide}}{'seconds':>8}", style=STRONG)
    return [header, *body, Text(f"{'total':<{wide}}{total:>8.1f}", style=STRONG)]


def error(problem: RunnerError) -> list[Text]:
    """Return the lines of an error: its message, its details and its remedy."""
    shown = [Text(problem.message, style=BAD)]
    shown += [Text(f"    {line}", style=QUIET) for line in problem.details.splitlines()]
    if problem.remedy:
        shown.append(Text.assemble(("To do: ", STRONG), problem.remedy))
    return shown


def key_value_lines(values: Mapping[str, str]) -> list[Text]:
    """Return a line for each value, after its key."""
    wide = max(map(len, values)) + 2
    return [Text.assemble((f"{key:<{wide}}", STRONG), value) for key, value in values.items()]
