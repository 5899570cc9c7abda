"""Producer, worker and data store as plain objects: nothing lost and nothing doubled by repeats."""

import asyncio
import random
from itertools import pairwise

import pytest

from demonstrator.bundles.datastore.memory import MemoryStore
from demonstrator.bundles.processor.worker import Worker
from demonstrator.bundles.producer.periodic import PeriodicProducer
from demonstrator.bundles.queue.service import QueueService
from demonstrator.contracts.contract import RemoteError
from demonstrator.contracts.native import Library
from demonstrator.contracts.samples import Batch, Kept, Lent, Receipt, Receipts, Result
from tests.unit.demonstrator.engines import KINDS, make_processor, make_queue

pytestmark = pytest.mark.asyncio


class Flaky:
    """Queue and data store behind a network that loses one in five requests and answers."""

    def __init__(self, queue: QueueService, store: MemoryStore) -> None:
        self._queue = queue
        self._store = store
        self._chance = random.Random(1)  # noqa: S311 - no secret

    def _lose(self) -> None:
        if self._chance.random() < 0.2:
            raise RemoteError("lost")

    async def put(self, item: Batch | Result) -> Receipt | Kept:
        self._lose()
        answer = await self._queue.put(item) if isinstance(item, Batch) else self._store.put(item)
        self._lose()
        return answer

    async def take(self, consumer: str, number: int, most: int, wait: float) -> Lent:
        self._lose()
        lent = await self._queue.take(consumer, number, most, wait)
        self._lose()
        return lent

    async def settle(self, batches: tuple[str, ...], store: str) -> None:
        self._lose()
        await self._queue.settle(batches, store)
        self._lose()

    async def latest(self, most: int) -> tuple[Result, ...]:
        return self._store.latest(most)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_lossy_network_neither_loses_nor_doubles(
    kind: str, queue_library: Library, processor_library: Library
) -> None:
    queue = make_queue(kind, queue_library, asyncio.get_running_loop().time)
    store = MemoryStore("store.1")
    network = Flaky(queue, store)
    producer = PeriodicProducer("p", rate=2_000, batch_size=20)
    worker = Worker("w", make_processor(kind, processor_library, 0.0))
    producing = asyncio.create_task(producer.run(network))  # type: ignore[arg-type]
    working = asyncio.create_task(worker.run(network, network))  # type: ignore[arg-type]
    await asyncio.sleep(1.5)
    producing.cancel()
    while (ledger := await queue.ledger()).queued + ledger.in_work:
        await asyncio.sleep(0.01)
    working.cancel()
    await asyncio.gather(producing, working, return_exceptions=True)
    ledger = await queue.ledger()
    assert ledger.produced > 100
    assert ledger.stored["store.1"] == store.stored == store.ledger().received["queue.1"] == ledger.produced
    # A batch may be in hand whose answer was lost when the producer was stopped.
    assert producer.produced - ledger.produced in (0, 20)


async def test_a_producer_numbers_without_gaps_and_keeps_its_rate() -> None:
    offered: list[Batch] = []

    class Listener:
        async def put(self, batch: Batch) -> Receipt:
            offered.append(batch)
            return Receipt(0, len(batch), "queue.1")

    producer = PeriodicProducer("p", rate=1_000, batch_size=10)
    running = asyncio.create_task(producer.run(Listener()))  # type: ignore[arg-type]
    await asyncio.sleep(1.0)
    running.cancel()
    assert all(first.first + len(first) == second.first for first, second in pairwise(offered))
    assert 900 <= producer.produced <= 1_010
    assert producer.refused == len(offered) * 10
    assert producer.receipts() == Receipts("p", {"queue.1": Receipt(0, producer.refused, "queue.1")})


async def test_a_producer_follows_another_rate_at_once_and_zero_stops_it() -> None:
    class Listener:
        async def put(self, batch: Batch) -> Receipt:
            return Receipt(len(batch), 0, "queue.1")

    producer = PeriodicProducer("p", rate=0, batch_size=10)
    running = asyncio.create_task(producer.run(Listener()))  # type: ignore[arg-type]
    await asyncio.sleep(0.1)
    assert producer.produced == 0
    producer.set_rate(1)  # the next batch after this one is 10 s away
    await asyncio.sleep(0.1)
    assert producer.produced == 10
    producer.set_rate(500)
    await asyncio.sleep(0.5)
    assert 150 <= producer.produced <= 270
    producer.set_rate(0)
    stopped_at = producer.produced
    await asyncio.sleep(0.2)
    assert producer.produced == stopped_at
    running.cancel()


async def test_a_producer_without_an_answer_makes_nothing_new() -> None:
    class Silent:
        async def put(self, batch: Batch) -> Receipt:
            raise RemoteError("silence")

    producer = PeriodicProducer("p", rate=1_000, batch_size=10)
    running = asyncio.create_task(producer.run(Silent()))  # type: ignore[arg-type]
    await asyncio.sleep(0.5)
    running.cancel()
    assert producer.produced == 10


@pytest.mark.parametrize("kind", KINDS)
async def test_a_processor_takes_three_milliseconds_a_sample(kind: str, processor_library: Library) -> None:
    loop = asyncio.get_running_loop()
    started = loop.time()
    batch = Batch("p", 0, 0.0, (1.0, 2.0) * 25)
    result = await make_processor(kind, processor_library).process(batch, "queue.1")
    assert result.batch == batch
    assert 0.15 <= loop.time() - started < 0.3


def result(first: int, size: int = 10) -> Result:
    return Result(Batch("p", first, 0.0, (float(first),) * size), "queue.1", "w", 1.0)


async def test_the_store_keeps_the_last_results_and_knows_them_again() -> None:
    store = MemoryStore("store.1", capacity=25)
    assert [store.put(result(first)).new for first in (0, 10, 10, 20)] == [True, True, False, True]
    assert (store.stored, store.held) == (30, 20)
    assert store.latest(5) == (result(20), result(10))
    assert store.latest(0) == ()
