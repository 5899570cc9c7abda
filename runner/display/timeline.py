"""A run as a waterfall in SVG: tasks of each host, steps of the workstation with their items, over the seconds."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from runner.display.board import ROLES, Board
from runner.display.lines import seconds
from runner.events import Event, Progress, StepFinished, StepStarted, TaskFinished

WORKSTATION = "workstation"
# Each has with white, which is the ground of the picture and the text in a bar, a contrast of 4.5 as WCAG 2.2 asks for.
ROLE_COLOURS = ("#1d4ed8", "#b45309", "#047857", "#be123c", "#6d28d9", "#0e7490", "#4d7c0f", "#a21caf")
STEP_COLOUR, ITEM_COLOUR, NO_ROLE_COLOUR, BAD_COLOUR = "#334155", "#64748b", "#57534e", "#dc2626"
TEXT_COLOUR, QUIET_COLOUR, LINE_COLOUR = "#111c28", "#52606f", "#d9e0e7"
BAD = ("failed", "unreachable", "interrupted")

MIN_WIDTH, PIXELS_PER_SECOND = 1200, 30  # the picture of a long run is wider
LEFT, RIGHT, TOP, LANE, BAR, ROW_GAP = 100, 20, 60, 17, 15, 10
FONT, LETTER, BASELINE = 10, 5.6, 11  # size, a letter's usual width, and where text stands in a bar
LEGEND_WIDTH, LEGEND_LINE = 135, 18
TICKS, TICK_WIDTH = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600), 60
DELAY = 0.1  # seconds that an event comes late at most: bars that overlap by no more follow each other


@dataclass(frozen=True)
class Bar:
    """Something that took the time from `start` to `end`; the first of `texts` that fits is written in it."""

    start: float
    end: float
    texts: Sequence[str]
    colour: str
    status: str = ""

    @property
    def tooltip(self) -> str:
        """All that is known of it."""
        return ", ".join(filter(None, (self.texts[0], self.status, seconds(self.end - self.start))))


Lanes = list[list[Bar]]
Legend = Sequence[tuple[str, float, str]]  # name, seconds and colour


@dataclass
class Waterfall:
    """The bars of a run by row; those of one track (all steps, one item) stay in one line of their row."""

    rows: dict[str, dict[object, list[Bar]]] = field(default_factory=lambda: {WORKSTATION: {}})
    role_colours: dict[str, str] = field(default_factory=dict)
    # What is in progress, and since when.
    _steps: dict[str, float] = field(default_factory=dict)
    _items: dict[tuple[str, str], tuple[str, float]] = field(default_factory=dict)
    _tasks: dict[str, tuple[str, float]] = field(default_factory=dict)  # by host

    def apply(self, event: Event, now: float) -> None:
        """Take in one event."""
        match event:
            case StepStarted():
                self._steps[event.step] = now
            case StepFinished():
                self._end_step(event, now)
            case Progress() if event.step == ROLES:
                self.rows.setdefault(event.item, {})  # in the inventory's order
                self._tasks.pop(event.item, None)
                if not event.finished:
                    self._tasks[event.item] = event.doing, now
            case Progress():
                key = (event.step, event.item)
                if event.finished or self._items.get(key, ("", now))[0] != event.doing:
                    self._end_activity(*key, now)
                if not event.finished:
                    self._items.setdefault(key, (event.doing, now))
            case TaskFinished():
                self._tasks.pop(event.host, None)
                self._add_task(event.host, event.role, event.task, now - event.seconds, now, event.status)

    def end(self, now: float) -> None:
        """Take in that there are no more events: what has not ended by them was interrupted."""
        for step, started in list(self._steps.items()):
            self._end_step(StepFinished(step, now - started, "interrupted"), now)

    def _end_step(self, event: StepFinished, now: float) -> None:
        for step, item in list(self._items):
            if step == event.step:
                self._end_activity(step, item, now)
        for host, (doing, started) in self._tasks.items() if event.step == ROLES else ():
            role, _, task = doing.partition(" : ")
            self._add_task(host, role, task, started, now, "interrupted")
        started = self._steps.pop(event.step, now - event.seconds)
        self._add(WORKSTATION, "steps", Bar(started, now, [event.step], STEP_COLOUR, event.outcome))

    def _end_activity(self, step: str, item: str, now: float) -> None:
        # Of an item that is known by its end alone nobody knows the beginning.
        doing, started = self._items.pop((step, item), ("", now))
        if started < now:
            self._add(WORKSTATION, (step, item), Bar(started, now, [f"{item}: {doing}", item], ITEM_COLOUR))

    def _add_task(self, host: str, role: str, task: str, started: float, ended: float, status: str) -> None:
        colour = NO_ROLE_COLOUR
        if role:
            colour = self.role_colours.setdefault(role, ROLE_COLOURS[len(self.role_colours) % len(ROLE_COLOURS)])
        text = " : ".join(filter(None, (role, task)))
        self._add(host, (started, text), Bar(started, ended, [text, task, role], colour, status))

    def _add(self, row: str, track: object, bar: Bar) -> None:
        self.rows.setdefault(row, {}).setdefault(track, []).append(bar)


def lanes(tracks: Iterable[Sequence[Bar]]) -> Lanes:
    """Return the bars in as few lines as hold them without an overlap."""
    found: Lanes = []
    for track in sorted(tracks, key=lambda bars: bars[0].start):
        lane = next((lane for lane in found if lane[-1].end <= track[0].start + DELAY), None)
        if lane is None:
            found.append(lane := [])
        lane.extend(track)
    return found


def draw(name: str, recorded: Sequence[tuple[float, Event]]) -> str:
    """Return the picture of a run from its events, of which there is one at least, each with its time in seconds."""
    (began, _), (ended, _) = recorded[0], recorded[-1]
    now = began
    waterfall, board = Waterfall(), Board(clock=lambda: now)
    for moment, event in recorded:
        now = moment
        waterfall.apply(event, now - began)
        board.apply(event)
    waterfall.end(ended - began)
    rows = {row: lanes(tracks.values()) for row, tracks in waterfall.rows.items()}
    totals = [(total.strip(), spent) for total, spent, _ in board.totals()]
    steps = [(total, spent, STEP_COLOUR) for total, spent in totals if total not in waterfall.role_colours]
    roles = [
        (total, spent, waterfall.role_colours[total]) for total, spent in totals if total in waterfall.role_colours
    ]
    return _svg(f"{name}: {seconds(ended - began)}", ended - began, rows, (steps, roles))


def _svg(title: str, length: float, rows: Mapping[str, Lanes], legends: Sequence[Legend]) -> str:
    scale = max(PIXELS_PER_SECOND, (MIN_WIDTH - LEFT - RIGHT) / max(length, 1))
    width = round(LEFT + length * scale + RIGHT)
    bottom = TOP + sum(len(row) * LANE + ROW_GAP for row in rows.values())
    height = bottom + LEGEND_LINE * (len(legends) + 1)
    svg = Element("svg", xmlns="http://www.w3.org/2000/svg", width=str(width), height=str(height))
    svg.attrib |= {"viewBox": f"0 0 {width} {height}", "font-family": "system-ui, sans-serif", "font-size": str(FONT)}
    _rectangle(svg, 0, 0, width, height, "#ffffff")
    _text(svg, LEFT, 20, title, TEXT_COLOUR).attrib |= {"font-size": "14", "font-weight": "600"}
    step = next((tick for tick in TICKS if tick * scale >= TICK_WIDTH), TICKS[-1])
    for tick in range(0, int(length) + 1, step):
        _rectangle(svg, LEFT + tick * scale, TOP - 6, 1, bottom - TOP, LINE_COLOUR)
        _text(svg, LEFT + tick * scale, TOP - 10, f"{tick} s", QUIET_COLOUR)
    top = TOP
    for name, row in rows.items():
        _text(svg, 8, top + BASELINE, name, TEXT_COLOUR)
        for lane in row:
            for bar in lane:
                _bar(svg, bar, top, scale)
            top += LANE
        top += ROW_GAP
    for line, legend in enumerate(legends):
        x, y = LEFT, bottom + LEGEND_LINE * (line + 0.5)
        for name, spent, colour in legend:
            _rectangle(svg, x, y, FONT, FONT, colour)
            _text(svg, x + FONT + 5, y + FONT - 1, f"{name} {seconds(spent)}", TEXT_COLOUR)
            x += LEGEND_WIDTH
    indent(svg)
    return tostring(svg, encoding="unicode") + "\n"


def _bar(svg: Element, bar: Bar, top: float, scale: float) -> None:
    x, width = LEFT + bar.start * scale, max((bar.end - bar.start) * scale, 1)
    group = SubElement(svg, "g")
    SubElement(group, "title").text = bar.tooltip
    shape = _rectangle(group, x, top, width, BAR, bar.colour)
    # White edges keep bars apart that follow each other.
    shape.attrib |= {"stroke": BAD_COLOUR if bar.status in BAD else "#ffffff", "stroke-width": "0.5"}
    if bar.status in BAD:
        shape.set("stroke-width", "3")
    if bar.status == "skipped":
        shape.set("fill-opacity", "0.4")
    if fitting := next((text for text in bar.texts if len(text) * LETTER + 6 <= width), ""):
        _text(group, x + 3, top + BASELINE, fitting, "#ffffff")


def _rectangle(parent: Element, x: float, y: float, width: float, height: float, fill: str) -> Element:
    box = {"x": x, "y": y, "width": width, "height": height}
    return SubElement(parent, "rect", {name: f"{value:.1f}" for name, value in box.items()}, fill=fill)


def _text(parent: Element, x: float, y: float, content: str, fill: str) -> Element:
    element = SubElement(parent, "text", x=f"{x:.1f}", y=f"{y:.1f}", fill=fill)
    element.text = content
    return element
