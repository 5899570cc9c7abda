"""Measure the data path on this machine's loopback, without a cluster: real agents, a process each.

    .venv/bin/python -m bench.loopback [--seconds 20]     figures as JSON and as a table; fails when a target is missed

    flow      four producers at full rate, eight processors with their real 3 ms a sample, one queue, one data store
    store     the memory that one data store process needs for its last 1,000,000 results

Everything shares this machine's cores with its clients and with whatever else runs: on a busy machine the figures
are lower than what the same code does in a cluster of its own.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from bench.targets import ANY, Figures, check_targets
from demonstrator.bundles.datastore import MemoryStore
from demonstrator.bundles.producer import BATCH_SIZE
from demonstrator.model import RATE_LIMIT, SECONDS_PER_SAMPLE, STORE_CAPACITY, Batch, Result
from tests.support.demonstrator.local import Agent, Local, wait_until

PRODUCERS, PROCESSORS = 4, 8
START, WARM_UP = 120.0, 5.0  # seconds
MIB = 2**20

TARGETS = {
    "flow: stored, samples/s": (2_400, ANY),
    # What the data store's pod has, less what an agent with viewer and coordinator needs.
    f"store: memory for them in batches of {BATCH_SIZE}, MiB": (0, 300),
    "store: memory for them in batches of 1, MiB": (0, 300),
}


def main() -> None:
    """Measure, print JSON on standard output and a table on standard error."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each flow is measured (default 20)")
    parser.add_argument("--only", choices=("flow", "store"), help="just one of them")
    options = parser.parse_args()
    measures: dict[str, Callable[[], Figures]] = {"flow": lambda: asyncio.run(flow(options.seconds)), "store": store}
    figures: Figures = {}
    for name, measure in measures.items():
        if options.only in (None, name):
            print(f"{name} …", file=sys.stderr, flush=True)
            figures |= measure()
    print(json.dumps(figures, indent=2))
    if not check_targets(figures, TARGETS):
        sys.exit(1)


async def flow(seconds: float) -> Figures:
    """Samples a second from four producers through eight processors into the data store."""
    with tempfile.TemporaryDirectory() as directory:
        async with Local(Path(directory)) as local:
            viewer = await local.start_agent("felix_1", "viewer")
            await local.start_agent("felix_2", "queue")
            for number in range(PRODUCERS):
                await local.start_agent("felix_4", f"producer-{number}")
            for number in range(PROCESSORS):
                await local.start_agent("felix_3", f"processor-{number}")
            for number in range(PRODUCERS):
                await wait_until(
                    _full_rate(local, local.agents[f"producer-{number}"]), "a producer answers", seconds=START
                )
            await asyncio.sleep(WARM_UP)
            before, used = await _statistics(local, viewer), _cpu(local)
            await asyncio.sleep(seconds)
            after, used_then = await _statistics(local, viewer), _cpu(local)
            elapsed = after["now"]["at"] - before["now"]["at"]
            cpu = {pod.rpartition("-")[0] or pod: 0.0 for pod in used}
            for pod in used:
                cpu[pod.rpartition("-")[0] or pod] += (used_then[pod] - used[pod]) / seconds
            moved = {name: after["accounting"][name] - before["accounting"][name] for name in ("produced", "stored")}
            return {
                "flow: produced, samples/s": moved["produced"] / elapsed,
                "flow: stored, samples/s": moved["stored"] / elapsed,
                "flow: of what the processors can do, %": 100
                * moved["stored"]
                / elapsed
                / (PROCESSORS / SECONDS_PER_SAMPLE),
                **{f"flow: CPU of {name}, cores": value for name, value in cpu.items()},
            }


def _full_rate(local: Local, agent: Agent) -> Callable[[], Awaitable[bool]]:
    async def tell() -> bool:
        await local.call(agent, "inaetics.producer", "set_rate", rate=RATE_LIMIT)
        return True

    return tell


async def _statistics(local: Local, viewer: Agent) -> Any:
    return await local.page(viewer, "/coordinator/statistics")


def _cpu(local: Local) -> Figures:
    """Seconds that each agent's process has used so far."""
    ticks = os.sysconf("SC_CLK_TCK")
    used = {}
    for pod, agent in local.agents.items():
        fields = Path(f"/proc/{agent.process.pid}/stat").read_text().rpartition(")")[2].split()
        used[pod] = (int(fields[11]) + int(fields[12])) / ticks
    return used


def store() -> Figures:
    """Measure the memory of a separate process that stores the last 1,000,000 results."""
    figures: Figures = {}
    for size in (BATCH_SIZE, 1):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            used, held = pool.apply(_fill, (size,))
        figures[f"store: results held, in batches of {size}"] = held
        figures[f"store: memory for them in batches of {size}, MiB"] = used / MIB
    return figures


def _fill(size: int) -> tuple[int, int]:
    return asyncio.run(_put(size))


async def _put(size: int) -> tuple[int, int]:
    """Put half as many again as fit, as the wire brings them: every value an object of its own."""
    before = _resident()
    results = MemoryStore()
    for first in range(0, STORE_CAPACITY * 3 // 2, size):
        values = tuple(float(number) for number in range(first, first + size))
        await results.put(
            Result(Batch(f"producer.{first % 4}", first, 0.0, values), "queue.0", f"processor.{first % 8}", 0.0)
        )
    return _resident() - before, results.held


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
