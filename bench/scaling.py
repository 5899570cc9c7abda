"""Compare the two scaling rules: a replay of the original one, and both on the same loads.

    .venv/bin/python -m bench.scaling [--picture docs/pictures/scaling.svg]     figures as JSON and as a table

The rules are the coordinator's own functions. What they act on is a queue as the cluster has it: bounded, with
3 ms a sample, pods that take a while to start, and rates that are measured over a few seconds. A load has
settled when the number of processors asked for does not change any more while the load stays what it is.
"""

import argparse
import json
import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.drawing import Chart, Line, draw
from demonstrator.bundles.coordinator.scaling import (
    BARRIER_HIGH,
    BARRIER_LOW,
    MAX_PROCESSORS,
    PERIOD_SECONDS,
    RULES,
    SERVICE_RATE,
    Load,
    original,
)
from demonstrator.model import QUEUE_CAPACITY
from demonstrator.model.overview import ScalingRule

STEP = 0.1  # seconds of the simulation
POD_START = 4.0  # seconds from the request to the first sample
RATE_WINDOW = 3.0  # seconds over which the coordinator measures rates

# Phases of a load: for how many seconds so many samples a second arrive.
Phases = Sequence[tuple[float, float]]
LOADS: dict[str, Phases] = {
    "steps": ((120, 300), (120, 1_000), (120, 2_000), (120, 500)),
    "full rate and back": ((60, 300), (180, 2_500), (180, 200)),
    "bursts": ((90, 600), (15, 3_000), (120, 600), (15, 3_000), (120, 600)),
}
PICTURED = "steps"
# Nothing can settle in less: a burst counts by the changes and refusals that it causes.
SHORTEST_PHASE = 60.0

# Utilisation in percent at the end of each period, as it may come in: up, full, down and empty, twice.
REPLAY = (0, 4, 22, 24, 60, 92, 99, 100, 98, 72, 45, 33, 18, 4, 30, 88, 100, 96, 30, 2, 1, 14, 20, 6, 3)


@dataclass(frozen=True)
class Run:
    """The result of a load: second by second, and in figures."""

    utilisation: list[float]
    requested: list[int]
    changes: int
    settled_after: float
    never_settled: int
    refused: int


def main() -> None:
    """Simulate, print JSON on standard output and a table on standard error, and draw on request."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--picture", type=Path, help="draw both rules and the replay into this SVG file")
    picture = parser.parse_args().picture
    runs = {name: {rule: simulate(phases, rule) for rule in RULES} for name, phases in LOADS.items()}
    figures = {name: {rule: figures_of(run) for rule, run in rules.items()} for name, rules in runs.items()}
    print(json.dumps(figures, indent=2))
    Console(stderr=True).print(table(runs))
    if picture:
        picture.write_text(draw(charts(runs[PICTURED])))
        print(f"{picture} is drawn", file=sys.stderr)


def figures_of(run: Run) -> dict[str, float]:
    """Return a run's figures without its curves."""
    return {name: value for name, value in asdict(run).items() if not isinstance(value, list)}


def simulate(phases: Phases, rule: ScalingRule) -> Run:
    """Let a load arrive at a queue whose processors this rule scales."""
    held = refused = 0.0
    wanted, running = 1, 1
    starting: list[float] = []
    arrived: deque[float] = deque(maxlen=round(RATE_WINDOW / STEP))
    before = 0.0
    changed: list[float] = []
    utilisation: list[float] = []
    requested: list[int] = []
    rates = [rate for seconds, rate in phases for _ in range(round(seconds / STEP))]
    for tick, rate in enumerate(rates):
        now = tick * STEP
        running += sum(1 for at in starting if at <= now)
        starting = [at for at in starting if at > now]
        held = max(0.0, held + (rate - running * SERVICE_RATE) * STEP)
        refused += max(0.0, held - QUEUE_CAPACITY)
        held = min(held, QUEUE_CAPACITY)
        arrived.append(rate)
        fill = 100 * held / QUEUE_CAPACITY
        if tick % round(PERIOD_SECONDS / STEP) == 0:
            slope = (fill - before) / PERIOD_SECONDS
            before = fill
            number = RULES[rule](Load(fill, slope, wanted, sum(arrived) / len(arrived), QUEUE_CAPACITY))
            if number != wanted:
                changed.append(now)
            starting += [now + POD_START] * max(0, number - wanted)
            # A pod that is taken away stops at once; one that has not started yet goes first.
            surplus = max(0, wanted - number)
            remaining = max(0, len(starting) - surplus)
            running -= surplus - (len(starting) - remaining)
            starting = starting[:remaining]
            wanted = number
        if tick % round(1 / STEP) == 0:
            utilisation.append(fill)
            requested.append(wanted)
    settled, never = _settled(phases, changed)
    return Run(utilisation, requested, len(changed), settled, never, round(refused))


def _settled(phases: Phases, changed: Sequence[float]) -> tuple[float, int]:
    """Return the mean time to the last change of a phase, and the number of phases that were changing at their end."""
    begin, last, never = 0.0, [], 0
    for seconds, _ in phases:
        if seconds < SHORTEST_PHASE:
            begin += seconds
            continue
        within = [at - begin for at in changed if begin <= at < begin + seconds]
        last.append(within[-1] if within else 0.0)
        # As good as changing when the phase ended: the last three periods saw a change.
        never += bool(within) and seconds - within[-1] <= 3 * PERIOD_SECONDS
        begin += seconds
    return round(sum(last) / len(last), 1), never


def replay() -> list[int]:
    """Return the requests of the original rule when REPLAY is the queue's utilisation."""
    replicas, before, requests = 1, 0.0, []
    for utilisation in REPLAY:
        slope = (utilisation - before) / PERIOD_SECONDS
        replicas = original(Load(utilisation, slope, replicas, arriving=0.0, capacity=QUEUE_CAPACITY))
        before = utilisation
        requests.append(replicas)
    return requests


def charts(runs: dict[ScalingRule, Run]) -> list[Chart]:
    """Return a row of charts for each rule: utilisation on the left, and the requests that follow on the right."""
    rows: list[Chart] = []
    titles = ["replay of the original rule", *(f"load “{PICTURED}”, {rule} rule" for rule in runs)]
    series = [(list(map(float, REPLAY)), replay(), PERIOD_SECONDS)]
    series += [(run.utilisation, run.requested, 1.0) for run in runs.values()]
    for title, (utilisation, requested, interval) in zip(titles, series, strict=True):
        barriers = (BARRIER_LOW, BARRIER_HIGH)
        rows.append(Chart(f"{title}: utilisation in %", 100, interval, Line(utilisation, "#6a3fb5"), barriers))
        line = Line(list(map(float, requested)), "#0a7a55", steps=True)
        rows.append(Chart(f"{title}: processors", MAX_PROCESSORS, interval, line))
    return rows


def table(runs: dict[str, dict[ScalingRule, Run]]) -> Table:
    """Return the figures as a table for people."""
    shown = Table("load", "rule", "changes", "settled after", "phases not settled", "refused", box=None)
    for name, rules in runs.items():
        for rule, run in rules.items():
            shown.add_row(
                name, rule, str(run.changes), f"{run.settled_after:g} s", str(run.never_settled), f"{run.refused:,}"
            )
    return shown


if __name__ == "__main__":
    main()
