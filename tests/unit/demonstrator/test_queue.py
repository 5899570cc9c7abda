"""The queue stays within its bound, loses nothing and counts everything once."""

import asyncio
import random

import pytest

from demonstrator.bundles.queue.bounded import BoundedQueue
from demonstrator.contracts.samples import Batch, Lent, Receipt

pytestmark = pytest.mark.asyncio


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def batch(first: int, size: int = 10, source: str = "p") -> Batch:
    return Batch(source, first, 0.0, (1.0,) * size)


def receipt(accepted: int, refused: int) -> Receipt:
    return Receipt(accepted, refused, "queue.1")


def make(capacity: int = 100) -> tuple[BoundedQueue, Clock]:
    clock = Clock()
    return BoundedQueue("queue.1", clock, capacity, lease_seconds=5.0), clock


async def test_what_does_not_fit_is_refused_and_counted() -> None:
    queue, _ = make(capacity=25)
    receipts = [queue.put(batch(first)) for first in (0, 10, 20)]
    assert receipts == [receipt(10, 0), receipt(10, 0), receipt(0, 10)]
    ledger = queue.ledger()
    assert (ledger.produced, ledger.queued, ledger.refused) == (30, 20, 10)
    assert ledger.balanced


async def test_what_is_lent_counts_against_the_bound() -> None:
    queue, _ = make(capacity=20)
    queue.put(batch(0))
    await queue.take("c", 0, 10, 0)
    assert queue.put(batch(10)) == receipt(10, 0)
    assert queue.put(batch(20)) == receipt(0, 10)


async def test_a_repeated_put_counts_once() -> None:
    queue, _ = make(capacity=15)
    for first, answer in ((0, receipt(10, 0)), (10, receipt(0, 10))):
        assert [queue.put(batch(first)) for _ in range(3)] == [answer] * 3
    assert queue.ledger().produced == 20
    with pytest.raises(ValueError, match="has gone on from 0 to 10"):
        queue.put(batch(0))


async def test_a_repeated_take_brings_the_same_and_the_next_brings_more() -> None:
    queue, _ = make()
    for first in (0, 10, 20):
        queue.put(batch(first))
    first_take = await queue.take("c", 0, 20, 0)
    assert [item.first for item in first_take.batches] == [0, 10]
    assert await queue.take("c", 0, 20, 0) == first_take
    assert [item.first for item in (await queue.take("c", 1, 20, 0)).batches] == [20]
    assert queue.ledger().in_work == 30
    with pytest.raises(ValueError, match="has gone on from take 0 to 1"):
        await queue.take("c", 0, 20, 0)


async def test_a_batch_larger_than_asked_for_comes_alone() -> None:
    queue, _ = make()
    queue.put(batch(0, size=50))
    queue.put(batch(50))
    assert [item.first for item in (await queue.take("c", 0, 20, 0)).batches] == [0]


async def test_a_take_waits_for_samples() -> None:
    loop = asyncio.get_running_loop()
    queue = BoundedQueue("queue.1", loop.time)
    taking = asyncio.create_task(queue.take("c", 0, 10, 1.0))
    await asyncio.sleep(0)
    assert not taking.done()
    queue.put(batch(0))
    assert await taking == Lent("queue.1", (batch(0),))
    assert await queue.take("c", 1, 10, 0.01) == Lent("queue.1", ())


async def test_two_waiting_repeats_of_one_take_lend_once() -> None:
    queue = BoundedQueue("queue.1", asyncio.get_running_loop().time)
    takes = [asyncio.create_task(queue.take("c", 0, 10, 1.0)) for _ in range(2)]
    await asyncio.sleep(0)
    queue.put(batch(0))
    assert await asyncio.gather(*takes) == [Lent("queue.1", (batch(0),))] * 2
    assert queue.ledger().in_work == 10


async def test_what_is_not_settled_in_time_is_lent_again_first() -> None:
    queue, clock = make()
    queue.put(batch(0))
    queue.put(batch(10))
    await queue.take("dies", 0, 10, 0)
    clock.now = 5.1
    assert queue.ledger().queued == 20
    assert [item.first for item in (await queue.take("lives", 0, 20, 0)).batches] == [0, 10]
    assert await queue.take("dies", 0, 10, 0) == Lent("queue.1", ())


async def test_settling_counts_once_whoever_does_it_and_however_late() -> None:
    queue, clock = make()
    queue.put(batch(0))
    await queue.take("slow", 0, 10, 0)
    clock.now = 5.1
    queue.ledger()
    queue.settle(("p:0",), "store.1")  # it waits again by now
    queue.settle(("p:0", "p:77"), "store.2")
    ledger = queue.ledger()
    assert (ledger.stored, ledger.queued, ledger.in_work) == ({"store.1": 10}, 0, 0)


@pytest.mark.parametrize("seed", range(20))
async def test_the_ledger_balances_whatever_happens(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret
    queue, clock = make(capacity=200)
    produced, takes, taken = {"p": 0, "q": 0}, {"c": 0, "d": 0}, list[str]()
    for _ in range(500):
        clock.now += chance.random()
        step = chance.randrange(3)
        if step == 0:
            source, size = chance.choice(list(produced)), chance.randint(1, 30)
            for _ in range(chance.randint(1, 2)):
                queue.put(batch(produced[source], size, source))
            produced[source] += size
        elif step == 1:
            consumer = chance.choice(list(takes))
            takes[consumer] += chance.randint(0, 1)
            taken += [item.id for item in (await queue.take(consumer, takes[consumer], 40, 0)).batches]
        elif taken:
            queue.settle((chance.choice(taken),), chance.choice(("store.1", "store.2")))
        ledger = queue.ledger()
        assert ledger.balanced
        assert ledger.produced == sum(produced.values())
        assert ledger.queued + ledger.in_work <= 200
