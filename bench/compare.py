"""Compare this checkout with one of another commit: times of `site`, and the demonstrator under full load.

    python -m bench.compare --against CHECKOUT [--runs 3] [--seconds 60]     medians of both, as JSON and as a table

CHECKOUT has its own virtual environment (`make bootstrap` there) and a prepared cache. Both checkouts are run by
turns, so that a change of the machine's speed falls on both. Their hosts have the same addresses: each run ends
with the removal of its cluster, which is not timed. The two clusters are measured by the code of this checkout.
"""

import argparse
import asyncio
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import app, site
from bench.cluster import Cluster
from bench.targets import Figures, show_figure
from runner.cluster import kubeconfig
from runner.declaration import load
from runner.state import CHECKOUT, State

THIS, OTHER = "this", "other"
# The unique end of a pod's name; two clusters have no such name in common.
_POD_SUFFIX = re.compile(r"-controller-\w{5}(?=[, ])")

# The values of each run by the figure's name, for each of the two checkouts.
Runs = dict[str, dict[str, list[float]]]


def main() -> None:
    """Measure both checkouts, print JSON on standard output and a table on standard error."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", type=Path, required=True, metavar="CHECKOUT", help="a checkout of another commit")
    parser.add_argument("--runs", type=int, default=3, help="number of runs of each checkout (default 3)")
    parser.add_argument("--seconds", type=float, default=60.0, help="time under load in each run (default 60)")
    options = parser.parse_args()
    other = options.against.resolve()
    if other == CHECKOUT or not (other / ".venv" / "bin" / "python").exists():
        sys.exit(f"error: {other} is not another checkout with a virtual environment: run `make bootstrap` in one")
    checkouts = {THIS: CHECKOUT, OTHER: other}
    for checkout in checkouts.values():
        site.run(checkout, "destroy")
    runs = alternate(checkouts, lambda checkout: measure(checkout, options.seconds), options.runs)
    print(json.dumps(summary(runs), indent=2))
    Console(stderr=True).print(table(runs))


def measure(checkout: Path, seconds: float) -> Figures:
    """Raise a checkout's cluster, measure it idle and under load, and remove it."""
    figures = site.measure(checkout)
    declaration = load(checkout / "inventory" / "cluster.yml")
    cluster = Cluster(f"http://{declaration.controller.address}", kubeconfig(declaration, State(checkout)))
    loaded = asyncio.run(app.measure(cluster, seconds)).figures
    site.run(checkout, "destroy")
    return figures | without_suffixes(loaded)


def without_suffixes(figures: Figures) -> Figures:
    """Name pods by their replication controllers; of several pods the highest value counts."""
    named: Figures = {}
    for name, value in figures.items():
        shared = f"under load: {_POD_SUFFIX.sub('', name)}"
        named[shared] = max(named.get(shared, value), value)
    return named


def alternate(checkouts: Mapping[str, Path], measure: Callable[[Path], Figures], runs: int) -> Runs:
    """Measure the checkouts by turns, each of them first in every second round.

    Args:
        checkouts: The directories by the name that the result has them under.
        measure: Measures one checkout.
        runs: Number of measurements of each checkout.
    """
    measured: Runs = {}
    for number in range(runs):
        order: Sequence[tuple[str, Path]] = list(checkouts.items())
        for side, checkout in order if number % 2 == 0 else reversed(order):
            print(f"run {number + 1} of {runs}: {side} ({checkout}) …", file=sys.stderr, flush=True)
            for name, value in measure(checkout).items():
                measured.setdefault(name, {side: [] for side in checkouts})[side].append(value)
    return measured


def summary(runs: Runs) -> dict[str, dict[str, Any]]:
    """Return medians, single runs and ratio (this checkout's median over the other's) by figure."""
    return {
        name: {side: {"median": median(values), "runs": values} for side, values in sides.items() if values}
        | {"ratio": _ratio(sides)}
        for name, sides in runs.items()
    }


def table(runs: Runs) -> Table:
    """Return the medians of both checkouts and their ratio as a table for people."""
    shown = Table("figure", THIS, OTHER, "ratio", box=None)
    for column in shown.columns[1:]:
        column.justify = "right"
    for name, sides in runs.items():
        ratio = _ratio(sides)
        medians = (show_figure(median(sides[side])) if sides[side] else "-" for side in (THIS, OTHER))
        shown.add_row(name, *medians, "-" if ratio is None else f"{ratio:.2f}")
    return shown


def _ratio(sides: Mapping[str, Sequence[float]]) -> float | None:
    """Return the ratio of the medians; None where one side has no such figure or the other's median is 0."""
    if not sides[THIS] or not sides[OTHER] or not median(sides[OTHER]):
        return None
    return median(sides[THIS]) / median(sides[OTHER])


if __name__ == "__main__":
    main()
