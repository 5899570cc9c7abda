"""Measure the demonstrator of the running cluster under full load.

    .venv/bin/python -m bench.app [--seconds 60]     JSON and a table; fails when a target is missed

Asks for four producers at full rate and eight processors, waits until all of them work, and measures for that long:
samples from producer to data store, the CPU time that they cost, the age of each overview when a reader of the
dashboard's events has it, and the memory of each pod against its limit. Then it restores replicas, rates and the
preferred utilisation. Last it measures for as long what a queue alone can pass on (bench/queue_pod.py).
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any

import aiohttp

from bench import queue_pod
from bench.cluster import NAMESPACE, Cluster, CpuTime
from bench.targets import ANY, Figures, Targets, check_targets
from runner.cluster import kubeconfig
from runner.declaration import load
from runner.state import DECLARATION, State
from tests.support.cluster.demonstrator import figures_of
from tests.support.polling import wait_until_async

PRODUCERS, PROCESSORS = 4, 8
FULL_RATE = 1_000.0
STORED, AGE = "end to end, samples/s", "dashboard: age of an overview on arrival, worst, s"
CPU = "CPU per 1,000 samples stored, s"
CAPABLE = PROCESSORS / 0.003  # samples/s, at 3 ms each
READY = 120.0  # seconds for the pods to start and to work

_PRODUCERS, _PROCESSORS = "inaetics-producer-controller", "inaetics-processor-controller"
_CELIX = "inaetics-processor-celix-controller"


@dataclass
class Measurement:
    """Figures, and the targets that they have to reach."""

    figures: Figures
    targets: Targets


def main() -> None:
    """Measure, print JSON on standard output and a table on standard error."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="time of each measurement (default 60)")
    seconds = parser.parse_args().seconds
    declaration = load(DECLARATION)
    cluster = Cluster(f"http://{declaration.controller.address}", kubeconfig(declaration, State()))
    measured = asyncio.run(measure(cluster, seconds))
    figures = measured.figures | queue_pod.measure(cluster, seconds)
    print(json.dumps(figures, indent=2))
    if not check_targets(figures, {**measured.targets, queue_pod.PASSED_ON: (20_000.0, ANY)}):
        sys.exit(1)


async def measure(cluster: Cluster, seconds: float) -> Measurement:
    """Load the demonstrator, measure, and leave it as it was."""
    async with aiohttp.ClientSession(raise_for_status=True) as session:

        async def statistics() -> Any:
            async with session.get(f"{cluster.url}/coordinator/statistics") as answer:
                return await answer.json()

        async with loaded(cluster, session, statistics):
            print(f"measuring the demonstrator for {seconds:g} s …", file=sys.stderr, flush=True)
            return await under_load(cluster, session, statistics, seconds)


@asynccontextmanager
async def loaded(
    cluster: Cluster, session: aiohttp.ClientSession, statistics: Callable[[], Awaitable[Any]]
) -> AsyncIterator[None]:
    """Keep four producers at full rate and eight processors at work until the context ends."""
    first = (await statistics())["scaling"]
    manual = first["rule"] == "manual"

    async def prefer(percent: int) -> None:
        body = {"preferred_utilisation": percent}
        async with session.post(f"{cluster.url}/coordinator/utilisation", json=body):
            pass

    rates = await asyncio.to_thread(call_producers, cluster, "rate")
    replicas = {_PRODUCERS: await asyncio.to_thread(cluster.scale, _PRODUCERS, PRODUCERS)}
    try:
        names = [item.name for item in cluster.api.replication_controllers(NAMESPACE)]
        if _CELIX in names:
            replicas[_CELIX] = await asyncio.to_thread(cluster.scale, _CELIX, 0)
        replicas[_PROCESSORS] = await asyncio.to_thread(cluster.scale, _PROCESSORS, PROCESSORS)
        if not manual:
            await prefer(100)
        await wait_until_async(
            statistics, "all producers answer", lambda seen: components(seen, "producer") == PRODUCERS, seconds=READY
        )
        if manual:
            await asyncio.to_thread(call_producers, cluster, "set_rate", rate=FULL_RATE)
        await wait_until_async(statistics, "everything works at full rate", working, seconds=READY)
        yield
    finally:
        for name, before in replicas.items():
            await asyncio.to_thread(cluster.scale, name, before)
        if not manual:
            await prefer(first["preferred_utilisation"])
        elif rates:
            wanted = replicas[_PRODUCERS]
            await wait_until_async(
                statistics,
                "the additional producers are gone",
                lambda seen: components(seen, "producer") == wanted,
                seconds=READY,
            )
            await asyncio.to_thread(call_producers, cluster, "set_rate", rate=rates[0])


def call_producers(cluster: Cluster, method: str, **arguments: Any) -> list[Any]:
    """Call every producer that runs."""
    pods = [pod for pod in cluster.api.pods(NAMESPACE) if pod.name.startswith(_PRODUCERS) and pod.status == "Running"]
    return [cluster.call(NAMESPACE, pod.name, "inaetics.producer", method, **arguments) for pod in pods]


def components(seen: Any, component: str) -> int:
    """Return the number of components of a kind in an overview."""
    return sum(item["component"] == component for item in seen["statistics"])


def working(seen: Any) -> bool:
    """Return whether all producers have the full rate and all processors have worked."""
    processed = figures_of(seen, "processor", "processed")
    return (
        figures_of(seen, "producer", "rate") == [FULL_RATE] * PRODUCERS
        and len(processed) == PROCESSORS
        and all(processed)
    )


async def under_load(
    cluster: Cluster, session: aiohttp.ClientSession, statistics: Callable[[], Awaitable[Any]], seconds: float
) -> Measurement:
    """Measure while the load lasts."""
    peak: Figures = {}
    ages: list[float] = []
    arrivals: list[float] = []
    listening = asyncio.create_task(listen(session, cluster.url, ages, arrivals))
    cpu_before = await asyncio.to_thread(cluster.cpu_seconds)
    first = await statistics()
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        for pod, used in (await asyncio.to_thread(cluster.memory)).items():
            peak[pod] = max(peak.get(pod, 0.0), used)
        await asyncio.sleep(min(left, 5.0))
    last = await statistics()
    cpu_after = await asyncio.to_thread(cluster.cpu_seconds)
    limits = await asyncio.to_thread(cluster.limits)
    if listening.done():
        listening.result()
    listening.cancel()
    elapsed = last["now"]["at"] - first["now"]["at"]
    moved = {name: last["accounting"][name] - first["accounting"][name] for name in ("produced", "stored", "lost")}
    spacings = [later - earlier for earlier, later in pairwise(arrivals)]
    figures = {
        "seconds": elapsed,
        "produced, samples/s": moved["produced"] / elapsed,
        STORED: moved["stored"] / elapsed,
        "of what the processors can do, %": 100 * moved["stored"] / elapsed / CAPABLE,
        "lost, samples": moved["lost"],
        CPU: cores(cpu_before, cpu_after) * 1_000 * elapsed / moved["stored"],
        "dashboard: age of an overview on arrival, median, s": median(ages),
        AGE: max(ages),
        "dashboard: time between two overviews, median, s": median(spacings),
        "dashboard: time between two overviews, worst, s": max(spacings),
        "memory of all pods, MiB": sum(peak.values()),
        **{f"memory: {pod}, MiB": used for pod, used in sorted(peak.items())},
    }
    targets = {STORED: (2_400.0, ANY), AGE: (0.0, 1.0)}
    return Measurement(figures, targets | {f"memory: {pod}, MiB": (0.0, limit) for pod, limit in limits.items()})


def cores(before: dict[str, CpuTime], after: dict[str, CpuTime]) -> float:
    """Return the CPU seconds per second of all pods that are in both readings.

    The kubelet reads each pod at a time of its own, so each pod has its own interval.
    """
    used = 0.0
    for pod in before.keys() & after.keys():
        interval = after[pod].at - before[pod].at
        used += (after[pod].seconds - before[pod].seconds) / interval if interval else 0.0
    return used


async def listen(session: aiohttp.ClientSession, url: str, ages: list[float], arrivals: list[float]) -> None:
    """Read the dashboard's events as a browser does, until cancelled.

    Workstation and local hosts share one clock; with machines of one's own their clocks must agree.
    """
    timeout = aiohttp.ClientTimeout(total=None, sock_read=10)
    async with session.get(f"{url}/viewer/events", timeout=timeout, read_bufsize=2**20) as response:
        event = b""
        async for line in response.content:
            if line.startswith(b"event: "):
                event = line.removeprefix(b"event: ").strip()
            elif line.startswith(b"data: ") and event == b"overview":
                now = time.time()
                ages.append(now - json.loads(line.removeprefix(b"data: "))["now"]["at"])
                arrivals.append(now)


if __name__ == "__main__":
    main()
