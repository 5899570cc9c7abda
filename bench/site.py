"""Measure how long `site` takes and how much memory the cluster needs: the figures of docs/figures.md.

    python -m bench.site [--runs N]          medians of N runs (default 5), as JSON and as a table

Each run removes this checkout's cluster, raises it from a warm cache until its page answers, runs `site` again
on the unchanged cluster, runs a single role by its tag, and reads the memory of the six hosts. The cluster of
the last run stays. For the times of a cold start, move the cache away first: then the step `prepare` has them.
"""

import argparse
import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any

import docker
from rich.console import Console
from rich.table import Table

from bench.targets import Figures
from runner.state import CHECKOUT
from runner.vagrant_settings import LABEL

TAG = "flannel"
MIB = 2**20


def main() -> None:
    """Measure, print JSON on standard output and a table on standard error."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="number of runs (default 5)")
    runs = parser.parse_args().runs
    measured = defaultdict[str, list[float]](list)
    for number in range(1, runs + 1):
        print(f"run {number} of {runs} …", file=sys.stderr, flush=True)
        for name, value in measure().items():
            measured[name].append(value)
    figures = {name: {"median": median(values), "runs": values} for name, values in measured.items()}
    print(json.dumps(figures, indent=2))
    Console(stderr=True).print(table(figures))


def measure(checkout: Path = CHECKOUT) -> Figures:
    """Raise a checkout's cluster from nothing and measure; figures are in seconds, those of memory in MiB."""
    run(checkout, "destroy")
    figures = {f"site: {name}": seconds for name, seconds in steps(run(checkout, "site", "--json")).items()}
    figures["unchanged second run: total"] = steps(run(checkout, "site", "--json"))["total"]
    figures[f"site --tags {TAG}: total"] = steps(run(checkout, "site", "--tags", TAG, "--json"))["total"]
    return figures | memory(checkout)


def run(checkout: Path, *arguments: str) -> list[dict[str, Any]]:
    """Run a command of a checkout's runner in the checkout's own environment.

    Returns:
        The events that the command printed; none unless `--json` is among the arguments.

    Raises:
        SystemExit: The command failed; the message has the end of its output.
    """
    command = [str(checkout / ".venv" / "bin" / "python"), "-m", "runner", *arguments]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(
            f"`{' '.join(arguments)}` in {checkout} ended with exit code {done.returncode}:\n"
            f"{done.stdout[-2000:]}{done.stderr}"
        )
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def steps(events: list[dict[str, Any]]) -> Figures:
    """Return the seconds of each step, as the run itself reported them, and their sum as "total"."""
    seconds = {event["step"]: event["seconds"] for event in events if event["event"] == "StepFinished"}
    return seconds | {"total": sum(seconds.values())}


def memory(checkout: Path) -> Figures:
    """Return the MiB that the kernel charges to each host's control group, without file pages that it can drop."""
    hosts = docker.from_env().containers.list(filters={"label": f"{LABEL}.checkout={checkout}"})
    charged: Figures = {}
    for host in hosts:
        stats: Any = host.stats(stream=False)["memory_stats"]  # type: ignore[index]  # no stream, no iterator
        droppable = stats["stats"].get("total_inactive_file", stats["stats"].get("inactive_file", 0))
        charged[f"memory: {host.labels[f'{LABEL}.host']}"] = (stats["usage"] - droppable) / MIB
    return dict(sorted(charged.items())) | {"memory: total": sum(charged.values())}


def table(figures: dict[str, Any]) -> Table:
    """Return the medians as a table for people."""
    shown = Table("figure", "median", "least", "most", box=None)
    for name, figure in figures.items():
        unit = "MiB" if name.startswith("memory") else "s"
        values = (figure["median"], min(figure["runs"]), max(figure["runs"]))
        shown.add_row(name, *(f"{value:.1f} {unit}" for value in values))
    return shown


if __name__ == "__main__":
    main()
