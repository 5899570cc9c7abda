"""The time that JSON takes: a batch of 50 samples alone, and within whole calls of a queue.

Run it with `.venv/bin/python -m bench.codec`; it prints medians as JSON: of encoding and of decoding a batch, and of a
cycle: put, take and acknowledge a batch through proxy, HTTP on loopback and the queue in Python, in one process.
"""

import asyncio
import json
import math
import statistics
import time
from collections.abc import Callable

import aiohttp
from aiohttp.test_utils import TestServer
from pelix.framework import FrameworkFactory, create_framework

from bench.targets import Figures
from demonstrator.bundles.producer import BATCH_SIZE
from demonstrator.bundles.queue import BoundedQueue
from demonstrator.lib import codec
from demonstrator.model import Batch
from demonstrator.remote.exports import Exports
from demonstrator.remote.proxy import make_proxy
from demonstrator.services import Queue

ROUNDS, REPEATS = 50, 100


def main() -> None:
    """Measure and print."""
    print(json.dumps(batch() | asyncio.run(cycle()), indent=2))


def make_batch(number: int) -> Batch:
    """Make a batch as the producer does."""
    first = BATCH_SIZE * number
    values = (round(math.sin(2 * math.pi * (first + index) / 1_000), 6) for index in range(BATCH_SIZE))
    return Batch("producer-abcde.0a1b2c", first, 1_700_000_000.123456, tuple(values))


def batch() -> Figures:
    """Measure one batch in microseconds."""
    sample = make_batch(0)
    data = codec.encode(sample)
    return {
        "batch: encode, µs": _median(lambda: codec.encode(sample)),
        "batch: decode, µs": _median(lambda: codec.decode(Batch, data)),
    }


async def cycle() -> Figures:
    """Measure a batch's way through a queue in microseconds, server and client together."""
    framework = create_framework(("pelix.ipopo.core",))
    framework.start()
    try:
        context = framework.get_bundle_context()
        exports = Exports(context, "queue")
        service = BoundedQueue()
        service.name = "queue.1"
        context.register_service(Queue, service, {})
        (exported,) = exports.listing().services
        async with TestServer(exports.make_app()) as server, aiohttp.ClientSession() as session:
            url = f"http://{server.host}:{server.port}/services/{exported.id}/{exported.contract}"
            queue: Queue = make_proxy(Queue, session, url)
            seconds = [await _cycle(queue, number) for number in range(ROUNDS * REPEATS // 2)]
    finally:
        FrameworkFactory.delete_framework(framework)
    return {"cycle: put, take and ack, µs": 1e6 * statistics.median(seconds)}


async def _cycle(queue: Queue, number: int) -> float:
    sample = make_batch(number)
    began = time.perf_counter()
    await queue.put(sample)
    delivery = await queue.take("c", number, BATCH_SIZE, 0.0)
    await queue.ack(tuple(one.id for one in delivery.batches), "store.1")
    return time.perf_counter() - began


def _median(work: Callable[[], object]) -> float:
    rounds = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for _ in range(REPEATS):
            work()
        rounds.append((time.perf_counter() - began) / REPEATS)
    return 1e6 * statistics.median(rounds)


if __name__ == "__main__":
    main()
