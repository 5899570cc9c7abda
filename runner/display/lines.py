"""How each thing reads as a line."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from runner.errors import RunnerError
from runner.events import Note, Progress, StepFinished, TaskFinished

if TYPE_CHECKING:  # the doctor loads the Docker client
    from runner.doctor import Finding

QUIET, GOOD, CHANGE, BAD, STRONG = "dim", "green", "yellow", "bold red", "bold"
NAME_WIDTH = 18
OUTCOME_STYLES = {"ok": GOOD, "failed": BAD, "interrupted": CHANGE}
STATUS_STYLES = {"ok": GOOD, "changed": CHANGE, "skipped": QUIET, "failed": BAD, "unreachable": BAD}
SEVERITY_STYLES = {"ok": GOOD, "warning": CHANGE, "failure": BAD}
DIFF_STYLES = {"+": GOOD, "-": "red", "@": "cyan"}
UNITS = ("bytes", "kB", "MB", "GB")


def seconds(value: float) -> str:
    """`0.4 s`, `12.0 s`, `2 min 05 s`."""
    if round(value, 1) < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest:02} s"


def amount(progress: Progress) -> str:
    """`12/230 packages`, `12.3/40.0 MB`, or nothing where it is unknown."""
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
    """A step that runs."""
    return Text.assemble((f"{name:<{NAME_WIDTH}}", STRONG), (f"{seconds(elapsed):>10}", QUIET))


def step(event: StepFinished) -> Text:
    """A step that ended."""
    line = Text.assemble(
        (f"{event.step:<{NAME_WIDTH}}", OUTCOME_STYLES[event.outcome]), f"{seconds(event.seconds):>10}"
    )
    words = ": ".join(word for word in ("" if event.outcome == "ok" else event.outcome, event.summary) if word)
    return line.append(f"  {words}") if words else line


def role(name: str, elapsed: float, changed: int, hosts: int) -> Text:
    """A role that ended, on all its hosts."""
    what = (f"changed={changed}", CHANGE if changed else GOOD)
    plural = "" if hosts == 1 else "s"
    return Text.assemble(f"  {name:<{NAME_WIDTH - 2}}{seconds(elapsed):>10}  ", what, f" on {hosts} host{plural}")


def item(progress: Progress, elapsed: float, name_width: int, width: int) -> Text:
    """A host, a download or a build at work."""
    what = _what(progress)
    line = Text.assemble(f"  {progress.item:<{name_width}}  ", what)
    if not what:
        return line
    tail = f"  {seconds(elapsed)}"
    line.truncate(max(width - len(tail), 10), overflow="ellipsis", pad=False)
    return line.append(tail, style=QUIET)


def _what(progress: Progress) -> str:
    return " ".join(part for part in (progress.doing, amount(progress)) if part)


def item_finished(progress: Progress, elapsed: float) -> Text:
    """A host, a download or a build that is done."""
    return Text.assemble(f"  {progress.item}: {progress.doing}  ", (seconds(elapsed), QUIET))


def heartbeat(name: str, elapsed: float, items: Sequence[Progress]) -> Text:
    """A long step, said again so that nobody thinks that it hangs."""
    by_doing: dict[str, list[str]] = {}
    for progress in items:
        what = _what(progress)
        by_doing.setdefault(what, []).append(progress.item)
    now = "; ".join(f"{', '.join(names)}: {what}" for what, names in by_doing.items() if what)
    return Text(f"  … {name} {seconds(elapsed)}{': ' if now else ''}{now}", style=QUIET)


def task(event: TaskFinished) -> Text:
    """One task on one host."""
    where = " : ".join(part for part in (event.role, event.task) if part)
    return Text.assemble(
        f"  {event.host:<{NAME_WIDTH - 2}}",
        (f"{event.status:<11}", STATUS_STYLES[event.status]),
        f"{where}  ",
        (seconds(event.seconds), QUIET),
    )


def note(event: Note) -> list[Text]:
    """A note; where it carries a difference between files, that is coloured as usual."""
    first, *rest = event.message.splitlines() or [""]
    head = Text(f"  {first}", style=CHANGE if event.level == "warning" else "")
    return [head, *(Text(f"    {line}", style=DIFF_STYLES.get(line[:1], "")) for line in rest)]


def finding(found: "Finding") -> list[Text]:
    """Return the lines of a check of `doctor`, with its remedy where it found something."""
    lines = [
        Text.assemble((f"{found.severity:<9}", SEVERITY_STYLES[found.severity]), f"{found.check}: {found.observed}")
    ]
    if found.severity != "ok":
        hint = " (`python -m runner doctor --fix` does it)" if found.fixable else ""
        lines.append(Text(f"{'':<9}{found.remedy}{hint}"))
    return lines


def table(steps: Iterable[StepFinished], roles: Mapping[str, float]) -> list[Text]:
    """Steps and seconds, with the roles below their step."""
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
    return [header, *body, Text(f"{'in all':<{wide}}{total:>8.1f}", style=STRONG)]


def error(problem: RunnerError) -> list[Text]:
    """What went wrong, what is worth seeing, and what to do about it."""
    shown = [Text(problem.message, style=BAD)]
    shown += [Text(f"    {line}", style=QUIET) for line in problem.details.splitlines()]
    if problem.remedy:
        shown.append(Text.assemble(("To do: ", STRONG), problem.remedy))
    return shown


def named(places: Mapping[str, str]) -> list[Text]:
    """Where to look, each place after its name."""
    wide = max(map(len, places)) + 2
    return [Text.assemble((f"{name:<{wide}}", STRONG), place) for name, place in places.items()]
