"""Compare measured figures with what they have to reach, and show both."""

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

Figures = dict[str, float]
# The lowest allowed value and the upper limit, which itself is not allowed, by the figure's name.
Targets = Mapping[str, tuple[float, float]]

ANY = float("inf")


def check_targets(figures: Figures, targets: Targets) -> bool:
    """Print the figures on standard error, and return whether each of them meets its target."""
    shown = Table("figure", "measured", "target", box=None)
    missed = False
    for name, value in figures.items():
        least, limit = targets.get(name, (-ANY, ANY))
        target = f"< {limit:,g}" if limit < ANY else f">= {least:,g}" if least > -ANY else ""
        met = least <= value < limit
        missed |= not met
        shown.add_row(name, show_figure(value), target if met else f"{target} missed")
    Console(stderr=True).print(shown)
    return not missed


def show_figure(value: float) -> str:
    """Return a figure with as many digits as people need of it."""
    return f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"
