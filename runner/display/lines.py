"""Lines that people read, and the styles of all that is shown."""

from collections.abc import Mapping

from rich.filesize import pick_unit_and_suffix
from rich.text import Text

from runner.errors import RunnerError
from runner.events import Note, Progress

QUIET, GOOD, CHANGE, BAD, STRONG = "dim", "green", "yellow", "bold red", "bold"
DIFF_STYLES = {"+": GOOD, "-": "red", "@": "cyan"}
UNITS = ["bytes", "kB", "MB", "GB"]


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
    scale, unit = 1, progress.unit
    if unit == "bytes":
        scale, unit = pick_unit_and_suffix(int(max(progress.done, progress.total or 0)), UNITS, 1000)
    form = ".1f" if scale > 1 else ".0f"
    total = "" if progress.total is None else f"/{progress.total / scale:{form}}"
    return f"{progress.done / scale:{form}}{total} {unit}".rstrip()


def note(event: Note) -> list[Text]:
    """Return the lines of a note; a difference between files in it is coloured as usual."""
    first, *rest = event.message.splitlines() or [""]
    head = Text(f"  {first}", style=CHANGE if event.level == "warning" else "")
    return [head, *(Text(f"    {line}", style=DIFF_STYLES.get(line[:1], "")) for line in rest)]


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
