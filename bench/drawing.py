"""Charts as SVG, with nothing but text."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 440, 150
_LEFT, _TOP, _GAP = 34, 30, 24


@dataclass(frozen=True)
class Line:
    """Values at equal distances, as a curve or as steps."""

    values: Sequence[float]
    colour: str
    steps: bool = False


@dataclass(frozen=True)
class Chart:
    """One line over time, from 0 to `top`, with dashed marks across."""

    title: str
    top: float
    interval: float
    line: Line
    marks: tuple[float, ...] = ()


def draw(charts: Sequence[Chart], columns: int = 2) -> str:
    """Draw all charts into one SVG picture, row by row."""
    rows = -(-len(charts) // columns)
    width, height = columns * (WIDTH + _GAP + _LEFT), rows * (HEIGHT + _TOP + _GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-size="12" fill="#52606f">',
        f'<style>text {{ font-family: system-ui, sans-serif }}</style><path d="M0 0H{width}V{height}H0" fill="#fff"/>',
    ]
    for number, chart in enumerate(charts):
        row, column = divmod(number, columns)
        x, y = column * (WIDTH + _GAP + _LEFT) + _LEFT, row * (HEIGHT + _TOP + _GAP) + _TOP
        parts.append(f'<g transform="translate({x} {y})">{_chart(chart)}</g>')
    return "\n".join([*parts, "</svg>", ""])


def _chart(chart: Chart) -> str:
    seconds = len(chart.line.values) * chart.interval
    parts = [f'<text x="0" y="-10" fill="#111c28" font-weight="600">{escape(chart.title)}</text>']
    for value in (0, chart.top / 2, chart.top):
        height = HEIGHT * (1 - value / chart.top)
        parts.append(f'<path d="M0 {height:.1f}H{WIDTH}" stroke="#d9e0e7"/>')
        parts.append(f'<text x="-6" y="{height + 4:.1f}" text-anchor="end">{value:g}</text>')
    for value in chart.marks:
        height = HEIGHT * (1 - value / chart.top)
        parts.append(f'<path d="M0 {height:.1f}H{WIDTH}" stroke="#b4440a" stroke-dasharray="4 4"/>')
    parts.append(f'<text x="{WIDTH}" y="{HEIGHT + 16}" text-anchor="end">{seconds:g} s</text>')
    parts.append(f'<path d="{_path(chart)}" fill="none" stroke="{chart.line.colour}" stroke-width="2"/>')
    return "".join(parts)


def _path(chart: Chart) -> str:
    across = WIDTH / len(chart.line.values)
    points = [(index * across, HEIGHT * (1 - value / chart.top)) for index, value in enumerate(chart.line.values)]
    commands = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for x, y in points[1:]:
        commands.append(f"H{x:.1f}V{y:.1f}" if chart.line.steps else f"L{x:.1f} {y:.1f}")
    return "".join([*commands, f"H{WIDTH}"])
