"""Figures against what they have to reach: a table for people, and whether all of it was reached."""

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

Figures = dict[str, float]
# At least, at most, and the limits themselves, by the figure's name.
Targets = Mapping[str, tuple[float, float]]

ANY = float("inf")


def judge(figures: Figures, targets: Targets) -> bool:
    """Print the figures on standard error, and say whether all targets among them are met."""
    shown = Table("figure", "measured", "target", box=None)
    missed = False
    for name, value in figures.items():
        least, most = targets.get(name, (-ANY, ANY))
        target = f"< {most:,g}" if most < ANY else f">= {least:,g}" if least > -ANY else ""
        met = least <= value < most
        missed |= not met
        measured = f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"
        shown.add_row(name, measured, target if met else f"{target} missed")
    Console(stderr=True).print(shown)
    return not missed
