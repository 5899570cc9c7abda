"""Clients of one queue that put, take and acknowledge, until killed: `python3 -c CODE URL NAME` in a pod.

Run there as text: it may use only what the agents' image holds.
"""

import asyncio
import sys
import time

import aiohttp

from demonstrator.model import BATCH_LIMIT, Batch
from demonstrator.remote.proxy import make_proxy
from demonstrator.services import Queue

# So many that none of their round trips is what limits the queue.
PUTTERS, TAKERS = 12, 2
# What producers send at a time.
VALUES = (0.5,) * 50
FULL_SECONDS = 0.01


async def put(queue: Queue, source: str) -> None:
    """Offer one batch after the other; a full queue is given a moment."""
    first = 0
    while True:
        result = await queue.put(Batch(source, first, time.time(), VALUES))
        if not result.accepted:
            await asyncio.sleep(FULL_SECONDS)
        first += len(VALUES)


async def take(queue: Queue, consumer: str) -> None:
    """Take all batches and acknowledge them at once."""
    number = 0
    while True:
        delivery = await queue.take(consumer, number, BATCH_LIMIT, 1.0)
        number += 1
        if delivery.batches:
            await queue.ack(tuple(batch.id for batch in delivery.batches), "store.0")


async def main(url: str, name: str) -> None:
    """Putters and takers side by side; the first that fails ends all of them."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session, asyncio.TaskGroup() as tasks:
        queue: Queue = make_proxy(Queue, session, url)
        for number in range(PUTTERS):
            tasks.create_task(put(queue, f"{name}.put-{number}"))
        for number in range(TAKERS):
            tasks.create_task(take(queue, f"{name}.take-{number}"))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
