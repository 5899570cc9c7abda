"""How long `site` takes and how much memory the cluster has: the figures of README.md.

    python -m bench.site [--runs N]          medians of N runs (default 5), as JSON and as a table

Each run removes this checkout's cluster, raises it from a warm cache until its page answers, runs `site` again
on what is then unchanged, runs a single role by its tag, and counts the memory of the six hosts. The cluster of
the last run stays. For the times of a cold start, move the cache away first: then the step `prepare` has them.
"""

import argparse
import json
import subprocess
import sys
from collections import defaultdict
from statistics import median
from typing import Any

import docker
from rich.console import Console
from rich.table import Table

from runner.machines.containers import LABEL
from runner.state import CHECKOUT

TAG = "flannel"
MIB = 2**20
Figures = dict[str, float]


def main() -> None:
    """Measure, print JSON on standard output and a table on standard error."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="how often to measure (default 5)")
    runs = parser.parse_args().runs
    measured = defaultdict[str, list[float]](list)
    for number in range(1, runs + 1):
        print(f"run {number} of {runs} …", file=sys.stderr, flush=True)
        for name, value in once().items():
            measured[name].append(value)
    figures = {name: {"median": median(values), "runs": values} for name, values in measured.items()}
    print(json.dumps(figures, indent=2))
    Console(stderr=True).print(table(figures))


def once() -> Figures:
    """One cluster from nothing; seconds, and MiB for what is named memory."""
    runner("destroy")
    figures = {f"site: {name}": seconds for name, seconds in steps(runner("site", "--json")).items()}
    second = steps(runner("site", "--json"))
    figures["unchanged second run: in all"] = second["in all"]
    figures[f"site --tags {TAG}: in all"] = steps(runner("site", "--tags", TAG, "--json"))["in all"]
    return figures | memory()


def runner(*arguments: str) -> list[dict[str, Any]]:
    """The events of a command that must succeed."""
    command = [sys.executable, "-m", "runner", *arguments]
    run = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    if run.returncode:
        sys.exit(f"{' '.join(arguments)} ended with exit code {run.returncode}:\n{run.stdout[-2000:]}{run.stderr}")
    return [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]


def steps(events: list[dict[str, Any]]) -> Figures:
    """Seconds by step, as the run itself told them, and their sum."""
    seconds = {event["step"]: event["seconds"] for event in events if event["event"] == "StepFinished"}
    return seconds | {"in all": sum(seconds.values())}


def memory() -> Figures:
    """What the kernel charges to the hosts' control groups, less file pages that it can drop at will."""
    hosts = docker.from_env().containers.list(filters={"label": f"{LABEL}.checkout={CHECKOUT}"})
    charged: Figures = {}
    for host in hosts:
        stats: Any = host.stats(stream=False)["memory_stats"]  # type: ignore[index]  # no stream, no iterator
        droppable = stats["stats"].get("total_inactive_file", stats["stats"].get("inactive_file", 0))
        charged[f"memory: {host.labels[f'{LABEL}.host']}"] = (stats["usage"] - droppable) / MIB
    return dict(sorted(charged.items())) | {"memory: in all": sum(charged.values())}


def table(figures: dict[str, Any]) -> Table:
    """The medians, for people."""
    shown = Table("figure", "median", "least", "most", box=None)
    for name, figure in figures.items():
        unit = "MiB" if name.startswith("memory") else "s"
        values = (figure["median"], min(figure["runs"]), max(figure["runs"]))
        shown.add_row(name, *(f"{value:.1f} {unit}" for value in values))
    return shown


if __name__ == "__main__":
    main()
