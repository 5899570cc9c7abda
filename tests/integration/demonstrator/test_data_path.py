"""Producer, processor and data store as plain objects: nothing lost and nothing doubled by repeats."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest

from demonstrator.bundles import producer as bundle
from demonstrator.bundles.datastore import MemoryStore
from demonstrator.bundles.producer import ProducerComponent
from demonstrator.components.queue import QueueService
from demonstrator.lib.native import Library
from demonstrator.model import (
    MAX_REPORTED_QUEUES,
    Batch,
    Delivery,
    ProducerMode,
    PutResult,
    PutTotals,
    Result,
    StoreResult,
)
from demonstrator.remote import RemoteError
from tests.support import virtual_clock
from tests.support.demonstrator.engines import KINDS, make_processor, make_queue, make_store
from tests.support.polling import wait_until_async


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "BATCH_SIZE", 10)


def make_producer() -> ProducerComponent:
    source = ProducerComponent()
    source.name = "p"
    return source


class Network:
    """Queue and data store behind a network that loses some of the requests and answers."""

    def __init__(self, queue: QueueService, store: MemoryStore, loss: float = 0.0) -> None:
        self._queue = queue
        self._store = store
        self._loss = loss
        self._chance = random.Random(1)  # noqa: S311 - no secret

    def _lose(self) -> None:
        if self._chance.random() < self._loss:
            raise RemoteError("lost")

    async def put(self, item: Batch | Result) -> PutResult | StoreResult:
        self._lose()
        answer = await (self._queue.put(item) if isinstance(item, Batch) else self._store.put(item))
        self._lose()
        return answer

    async def take(self, consumer: str, number: int, most: int, wait: float) -> Delivery:
        self._lose()
        delivery = await self._queue.take(consumer, number, most, wait)
        self._lose()
        return delivery

    async def ack(self, batches: tuple[str, ...], store: str) -> None:
        self._lose()
        await self._queue.ack(batches, store)
        self._lose()

    async def latest(self, most: int) -> tuple[Result, ...]:
        return await self._store.latest(most)


async def _lossy(kind: str, queue_library: Library, processor_library: Library) -> None:
    clock = asyncio.get_running_loop().time
    queue, store = make_queue(kind, queue_library, clock), make_store()
    network = Network(queue, store, loss=0.2)
    source = make_producer()
    await source.set_rate(1_000)
    processor = make_processor(kind, processor_library)
    producing = asyncio.create_task(source.run(network))  # type: ignore[arg-type]
    working = asyncio.create_task(processor.run(network, network))  # type: ignore[arg-type]

    async def made() -> bool:
        return source.produced >= 5_000

    async def emptied() -> bool:
        ledger = await queue.ledger()
        return not ledger.queued + ledger.in_work

    await wait_until_async(made, "5,000 samples are made", seconds=60)
    producing.cancel()
    await wait_until_async(emptied, "the queue is empty", seconds=60)
    working.cancel()
    await asyncio.gather(producing, working, return_exceptions=True)
    ledger = await queue.ledger()
    assert ledger.stored["store.1"] == store.stored == (await store.ledger()).received["queue.1"] == ledger.produced
    # A batch may be in hand whose answer was lost when the producer was stopped.
    assert source.produced - ledger.produced in (0, 20)


@pytest.mark.parametrize("kind", KINDS)
def test_a_lossy_network_neither_loses_nor_doubles(
    kind: str, queue_library: Library, processor_library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle, "BATCH_SIZE", 20)
    virtual_clock.run(_lossy(kind, queue_library, processor_library))


async def _finish(kind: str, queue_library: Library, processor_library: Library) -> None:
    clock = asyncio.get_running_loop().time
    queue, store = make_queue(kind, queue_library, clock), make_store()
    network = Network(queue, store)
    for number in range(10):
        await queue.put(Batch("p", 50 * number, 0.0, (1.0,) * 50))
    processor = make_processor(kind, processor_library)
    working = asyncio.create_task(processor.run(network, network))  # type: ignore[arg-type]
    await asyncio.sleep(0.2)
    before = await queue.ledger()
    await processor.drain()
    await working
    after = await queue.ledger()
    assert before.in_work > after.in_work == 0
    assert after.queued
    assert after.queued + store.stored == after.produced


@pytest.mark.parametrize("kind", KINDS)
def test_a_processor_that_finishes_delivers_what_it_has_in_hand(
    kind: str, queue_library: Library, processor_library: Library
) -> None:
    virtual_clock.run(_finish(kind, queue_library, processor_library))


class Listener:
    """A queue that refuses everything and remembers when it came."""

    def __init__(self) -> None:
        self.offered: list[tuple[float, Batch]] = []

    async def put(self, batch: Batch) -> PutResult:
        self.offered.append((round(asyncio.get_running_loop().time(), 6), batch))
        return PutResult(0, len(batch), "queue.1")


Step = tuple[Callable[[ProducerComponent], Awaitable[None]], float]


async def _produce(source: ProducerComponent, *steps: Step) -> list[tuple[float, Batch]]:
    """Return the batches that a source offers while actions are done to it, each followed by some seconds."""
    listener = Listener()
    await _offer(source, listener, *steps)
    return listener.offered


async def _offer(source: ProducerComponent, queue: object, *steps: Step) -> None:
    await source.set_rate(1_000)
    running: asyncio.Task[None] | None = None
    for step, seconds in steps:
        await step(source)
        running = running or asyncio.create_task(source.run(queue))  # type: ignore[arg-type]
        await asyncio.sleep(seconds)
    assert running
    running.cancel()


async def nothing(_source: ProducerComponent) -> None:
    """As a step."""


def become(kind: ProducerMode) -> Callable[[ProducerComponent], Awaitable[None]]:
    return lambda source: source.set_kind(kind)


def rate(rate: float) -> Callable[[ProducerComponent], Awaitable[None]]:
    return lambda source: source.set_rate(rate)


def test_a_periodic_producer_numbers_without_gaps_and_keeps_its_rate() -> None:
    source = make_producer()
    offered = virtual_clock.run(_produce(source, (nothing, 0.995)))
    assert [at for at, _ in offered] == [round(number * 0.01, 6) for number in range(100)]
    assert [batch.first for _, batch in offered] == [number * 10 for number in range(100)]
    assert source.produced == source.refused == 1_000
    assert virtual_clock.run(source.receipts()) == PutTotals("p", {"queue.1": PutResult(0, 1_000, "queue.1")})


def test_a_bursting_producer_makes_ten_batches_at_once_at_the_same_mean_rate() -> None:
    offered = virtual_clock.run(_produce(make_producer(), (become("burst"), 0.995)))
    assert [at for at, _ in offered] == [round(number // 10 * 0.1, 6) for number in range(100)]
    assert [batch.first for _, batch in offered] == [number * 10 for number in range(100)]


def test_a_producer_changes_its_kind_and_keeps_its_rate() -> None:
    steps = ((nothing, 0.195), (become("burst"), 1), (become("periodic"), 0.8))
    offered = virtual_clock.run(_produce(make_producer(), *steps))
    assert [batch.first for _, batch in offered] == [number * 10 for number in range(len(offered))]
    moments = Counter(at for at, _ in offered)
    assert sorted(set(moments.values())) == [1, 10]
    assert abs(len(offered) - 200) <= 10


def test_a_producer_follows_another_rate_at_once_and_zero_stops_it() -> None:
    # The second batch at the rate of 1 would be 10 s after the first.
    steps = ((rate(0), 5), (rate(1), 1), (rate(500), 0.205), (rate(0), 5), (rate(1_000), 0.005))
    offered = virtual_clock.run(_produce(make_producer(), *steps))
    moments = [at for at, _ in offered]
    assert moments[:12] == [5, 6, *(round(6 + number * 0.02, 6) for number in range(1, 11))]
    assert moments[12:] == [11.205]


def test_a_producer_without_an_answer_makes_nothing_new() -> None:
    class Silent:
        async def put(self, batch: Batch) -> PutResult:
            raise RemoteError("silence")

    source = make_producer()
    virtual_clock.run(_offer(source, Silent(), (nothing, 5)))
    assert source.produced == 10


def test_what_many_queues_answered_is_added_up_by_queue() -> None:
    class Restarting:
        puts = 0

        async def put(self, batch: Batch) -> PutResult:
            self.puts += 1
            return PutResult(len(batch), 0, f"queue.{self.puts // 10}")

    source = make_producer()
    virtual_clock.run(_offer(source, Restarting(), (nothing, 2.995)))
    told = virtual_clock.run(source.receipts()).by_queue
    assert (len(told), told["queue.29"], source.accepted) == (MAX_REPORTED_QUEUES, PutResult(100, 0, "queue.29"), 3_000)


@pytest.mark.parametrize("kind", KINDS)
def test_a_processor_takes_three_milliseconds_a_sample_also_when_its_timers_are_late(
    kind: str, processor_library: Library
) -> None:
    batch = Batch("p", 0, 0.0, (1.0, 2.0) * 25)

    async def work(pause: float) -> float:
        """The time that ten batches take, with a pause before each."""
        loop = asyncio.get_running_loop()
        processor = make_processor(kind, processor_library)
        for _ in range(10):
            await asyncio.sleep(pause)
            assert (await processor.process(batch, "queue.1")).batch == batch
        return round(loop.time(), 6)

    assert virtual_clock.run(work(0)) == 1.5
    assert virtual_clock.run(work(0.01)) == 1.51
    # Without work for longer, it begins when there is some.
    assert virtual_clock.run(work(0.1)) == 2.5


@pytest.mark.parametrize("kind", KINDS)
def test_a_processor_works_on_one_batch_at_a_time(kind: str, processor_library: Library) -> None:
    """Also while one queue takes over from another, when there is a worker for each."""

    async def work() -> float:
        loop = asyncio.get_running_loop()
        processor = make_processor(kind, processor_library)
        batches = [Batch("p", first, 0.0, (1.0,) * 50) for first in (0, 50)]
        await asyncio.gather(*(processor.process(batch, f"queue.{batch.first}") for batch in batches))
        return round(loop.time(), 6)

    assert virtual_clock.run(work()) == 0.3
