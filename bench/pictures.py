"""Retakes the pictures in docs/pictures from the running cluster and the last whole run: `python -m bench.pictures`."""

import io
import re
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from runner.declaration import Declaration, load
from runner.display import Board, read_events, timeline
from runner.display.lines import key_value_lines
from runner.events import Event, StepFinished, TaskFinished
from runner.machines import hosts
from runner.site import addresses
from runner.state import CHECKOUT, DECLARATION, State, relative_to_cwd
from tests.support.browser import PAGES, chromium, open_live

PICTURES = CHECKOUT / "docs" / "pictures"
FIRST = "viewer"
LONG = ("stats", "events")  # of these the first screen tells enough
COLUMNS = 90
LAST_STEP = "ready"  # of a whole run, which ended well
Recorded = list[tuple[float, Event]]


def main() -> None:
    """Draw the run, then take a picture of each page, as wide as the README shows it."""
    declaration = load(DECLARATION)
    if not hosts.bridge_present(declaration):
        sys.exit(f"error: {declaration.network} is not on this machine: `make site` raises it")
    whole = [run for path in sorted(State().runs.iterdir()) if ends_well(run := read_events(path))]
    if not whole:
        sys.exit("error: no run of `site` is on record: `make site` makes one")
    save(PICTURES / "site.svg", draw(whole[-1], declaration).encode())
    save(PICTURES / "timeline.svg", timeline.draw("make site", whole[-1]).encode())
    address = f"http://{declaration.controller.address}/"
    with chromium() as browser:
        # Without animations, which a picture would catch half-way.
        look: Any = {"color_scheme": "dark", "reduced_motion": "reduce"}
        page = browser.new_page(viewport={"width": 1280, "height": 900}, **look)
        for path in PAGES:
            open_live(page, address + path)
            save(PICTURES / f"{path or FIRST}.png", page.screenshot(full_page=path not in LONG))


def save(file: Path, content: bytes) -> None:
    """Write a picture and print its path."""
    file.write_bytes(content)
    print(relative_to_cwd(file))


def ends_well(recorded: Recorded) -> bool:
    """Return whether a run went through all of its steps, and had something to do in that of the roles."""
    steps = {event.step: event.outcome for _, event in recorded if isinstance(event, StepFinished)}
    worked = any(isinstance(event, TaskFinished) for _, event in recorded)
    return steps.get("hosts") == steps.get(LAST_STEP) == "ok" and worked


def draw(recorded: Recorded, declaration: Declaration) -> str:
    """Return the terminal's last screen as SVG: the run's events are replayed at their pace."""
    now = 0.0
    board = Board(clock=lambda: now)
    console = Console(file=io.StringIO(), record=True, width=COLUMNS, force_terminal=True, highlight=False)
    console.print("$ make site")
    for moment, event in recorded:
        now = moment
        for line in board.apply(event):
            console.print(line)
    for line in (Text(), *board.summary(), Text(), *key_value_lines(addresses(declaration, State()))):
        console.print(line)
    # Rich names a font of somebody else's server: a reader of the picture must not ask it.
    return re.sub(r"@font-face \{.*?\}\s*", "", console.export_svg(title="make site"), flags=re.DOTALL)


if __name__ == "__main__":
    main()
