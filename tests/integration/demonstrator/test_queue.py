"""The queue stays within its bound, loses nothing and counts everything once."""

import asyncio
import random
from collections.abc import Callable, Coroutine

import pytest

from demonstrator.components import queue as service
from demonstrator.components.queue import QueueService
from demonstrator.lib.native import Library
from demonstrator.model import QUEUE_CAPACITY, Batch, Delivery, PutResult, QueueLedger
from demonstrator.remote import RemoteError
from tests.support.demonstrator.engines import KINDS, make_queue

Make = Callable[..., QueueService]


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def batch(first: int, size: int = 10, source: str = "p") -> Batch:
    return Batch(source, first, 0.0, (1.0,) * size)


def is_balanced(ledger: QueueLedger) -> bool:
    """Tell whether every sample is accounted for."""
    return ledger.produced == sum(ledger.stored.values()) + ledger.queued + ledger.in_work + ledger.refused


def receipt(accepted: int, refused: int) -> PutResult:
    return PutResult(accepted, refused, "queue.1")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=KINDS)
def make(request: pytest.FixtureRequest, queue_library: Library, clock: Clock) -> Make:
    """Makes a queue of either kind: each test is run over both."""

    def make(capacity: int = 100, clock: Callable[[], float] = clock) -> QueueService:
        return make_queue(request.param, queue_library, clock, capacity)

    return make


async def test_what_does_not_fit_is_refused_and_counted(make: Make) -> None:
    queue = make(capacity=25)
    receipts = [await queue.put(batch(first)) for first in (0, 10, 20)]
    assert receipts == [receipt(10, 0), receipt(10, 0), receipt(0, 10)]
    ledger = await queue.ledger()
    assert (ledger.produced, ledger.queued, ledger.refused) == (30, 20, 10)
    assert is_balanced(ledger)


async def test_what_is_leased_counts_against_the_bound(make: Make) -> None:
    queue = make(capacity=20)
    await queue.put(batch(0))
    await queue.take("c", 0, 10, 0)
    assert await queue.put(batch(10)) == receipt(10, 0)
    assert await queue.put(batch(20)) == receipt(0, 10)


async def test_a_repeated_put_counts_once(make: Make) -> None:
    queue = make(capacity=15)
    for first, answer in ((0, receipt(10, 0)), (10, receipt(0, 10))):
        assert [await queue.put(batch(first)) for _ in range(3)] == [answer] * 3
    assert (await queue.ledger()).produced == 20
    with pytest.raises(ValueError, match="has gone on from 0 to 10"):
        await queue.put(batch(0))


async def test_a_repeated_take_brings_the_same_and_the_next_brings_more(make: Make) -> None:
    queue = make()
    for first in (0, 10, 20):
        await queue.put(batch(first))
    first_take = await queue.take("c", 0, 20, 0)
    assert [item.first for item in first_take.batches] == [0, 10]
    assert await queue.take("c", 0, 20, 0) == first_take
    assert [item.first for item in (await queue.take("c", 1, 20, 0)).batches] == [20]
    assert (await queue.ledger()).in_work == 30
    with pytest.raises(ValueError, match="has gone on from take 0 to 1"):
        await queue.take("c", 0, 20, 0)


async def test_a_batch_larger_than_asked_for_comes_alone(make: Make) -> None:
    queue = make()
    await queue.put(batch(0, size=50))
    await queue.put(batch(50))
    assert [item.first for item in (await queue.take("c", 0, 20, 0)).batches] == [0]


async def test_a_take_waits_for_samples(make: Make) -> None:
    loop = asyncio.get_running_loop()
    queue = make(QUEUE_CAPACITY, loop.time)
    taking = asyncio.create_task(queue.take("c", 0, 10, 1.0))
    await asyncio.sleep(0)
    assert not taking.done()
    await queue.put(batch(0))
    assert await taking == Delivery("queue.1", (batch(0),))
    assert await queue.take("c", 1, 10, 0.01) == Delivery("queue.1", ())


async def test_two_waiting_repeats_of_one_take_lease_once(make: Make) -> None:
    queue = make(QUEUE_CAPACITY, asyncio.get_running_loop().time)
    takes = [asyncio.create_task(queue.take("c", 0, 10, 1.0)) for _ in range(2)]
    await asyncio.sleep(0)
    await queue.put(batch(0))
    assert await asyncio.gather(*takes) == [Delivery("queue.1", (batch(0),))] * 2
    assert (await queue.ledger()).in_work == 10


async def test_what_is_not_acknowledged_in_time_is_leased_again_first(make: Make, clock: Clock) -> None:
    queue = make()
    await queue.put(batch(0))
    await queue.put(batch(10))
    await queue.take("dies", 0, 10, 0)
    clock.now = 5.1
    assert (await queue.ledger()).queued == 20
    assert [item.first for item in (await queue.take("lives", 0, 20, 0)).batches] == [0, 10]
    assert await queue.take("dies", 0, 10, 0) == Delivery("queue.1", ())


async def test_an_acknowledgement_counts_once_from_any_consumer_and_however_late(make: Make, clock: Clock) -> None:
    queue = make()
    await queue.put(batch(0))
    await queue.take("slow", 0, 10, 0)
    clock.now = 5.1
    await queue.ledger()
    await queue.ack(("p:0",), "store.1")  # it waits again by now
    await queue.ack(("p:0", "p:77"), "store.2")
    ledger = await queue.ledger()
    assert (ledger.stored, ledger.queued, ledger.in_work) == ({"store.1": 10}, 0, 0)


async def test_a_batch_of_a_source_that_is_not_remembered_counts_once_while_it_is_held(make: Make) -> None:
    queue = make(capacity=2_000)
    await queue.put(batch(0))
    await queue.put(batch(10))
    await queue.take("c", 0, 10, 0)
    for number in range(1_000):
        await queue.put(batch(0, size=1, source=f"other-{number}"))
    assert [await queue.put(batch(first)) for first in (0, 10)] == [receipt(10, 0)] * 2
    await queue.ack(("p:0", "p:10"), "store.1")
    ledger = await queue.ledger()
    assert (ledger.produced, ledger.stored, ledger.queued, ledger.in_work) == (1_020, {"store.1": 20}, 1_000, 0)


@pytest.mark.parametrize("seed", range(20))
async def test_the_ledger_balances_whatever_happens(make: Make, clock: Clock, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret
    queue = make(capacity=200)
    produced, takes, taken = {"p": 0, "q": 0}, {"c": 0, "d": 0}, list[str]()
    for _ in range(500):
        clock.now += chance.random()
        step = chance.randrange(3)
        if step == 0:
            source, size = chance.choice(list(produced)), chance.randint(1, 30)
            for _ in range(chance.randint(1, 2)):
                await queue.put(batch(produced[source], size, source))
            produced[source] += size
        elif step == 1:
            consumer = chance.choice(list(takes))
            takes[consumer] += chance.randint(0, 1)
            taken += [item.id for item in (await queue.take(consumer, takes[consumer], 40, 0)).batches]
        elif taken:
            await queue.ack((chance.choice(taken),), chance.choice(("store.1", "store.2")))
        ledger = await queue.ledger()
        assert is_balanced(ledger)
        assert ledger.produced == sum(produced.values())
        assert ledger.queued + ledger.in_work <= 200


async def test_a_closed_queue_takes_nothing_new_and_empties_itself(make: Make) -> None:
    queue = make(QUEUE_CAPACITY, asyncio.get_running_loop().time)
    first = await queue.put(batch(0))
    await queue.put(batch(0, source="q"))
    draining = asyncio.create_task(queue.drain())
    await asyncio.sleep(0)
    # A producer that missed the answer must not offer the same samples to another queue.
    assert await queue.put(batch(0)) == first
    with pytest.raises(RemoteError, match="takes nothing new any more"):
        await queue.put(batch(10))
    delivery = await queue.take("c", 0, 20, 0)
    await queue.ack((delivery.batches[0].id,), "store.1")
    await asyncio.sleep(0)
    assert not draining.done()
    await queue.ack((delivery.batches[1].id,), "store.1")
    await draining
    assert (await queue.ledger()).stored == {"store.1": 20}


async def test_a_closed_queue_that_nobody_asks_waits_no_longer(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "SILENCE_SECONDS", 0.05)
    queue = make(QUEUE_CAPACITY, asyncio.get_running_loop().time)
    await queue.put(batch(0))
    await queue.drain()
    assert (await queue.ledger()).queued == 10


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda queue: queue.put(batch(2**63)), "is no number"),
        (lambda queue: queue.take("c", 2**63, 10, 0), "is no number"),
        (lambda queue: queue.take("", 0, 10, 0), "is not a name"),
        (lambda queue: queue.ack(("p:0",), "\0"), "is not a name"),
    ],
)
async def test_what_c_could_not_hold_is_an_error_of_the_caller(
    queue_library: Library, clock: Clock, call: Callable[[QueueService], Coroutine[None, None, None]], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        await call(make_queue("native", queue_library, clock))


async def test_a_name_that_c_would_cut_short_acknowledges_nothing(queue_library: Library, clock: Clock) -> None:
    queue = make_queue("native", queue_library, clock)
    await queue.put(batch(0))
    await queue.ack(("p:0\0more", "", "p:" + "0" * 500, "p:\u20ac"), "store.1")
    assert (await queue.ledger()).queued == 10


class Driver:
    """A random sequence of operations, the same for each queue that is given the same seed."""

    def __init__(self, queue: QueueService, clock: Clock, seed: int) -> None:
        self._queue = queue
        self._clock = clock
        self._chance = random.Random(seed)  # noqa: S311 - no secret
        self._firsts = dict.fromkeys("pqr", 0)
        self._takes = dict.fromkeys("cd", 0)
        self._leased = ["p:0"]

    async def step(self) -> object:
        """Do one operation: what it answered, or the error it raised."""
        chance = self._chance
        self._clock.now += chance.choice((0.0, 0.1, 2.0))
        try:
            return await self._do(chance.randrange(10), chance)
        except (ValueError, RemoteError) as error:
            return repr(error)

    async def _do(self, what: int, chance: random.Random) -> object:
        if what < 4:
            source, size = chance.choice("pqr"), chance.randint(1, 30)
            first = max(0, self._firsts[source] + chance.choice((-1, 0, 1, 1, 1)))
            self._firsts[source] = max(self._firsts[source], first)
            return await self._queue.put(Batch(source, first, chance.random(), tuple(map(float, range(size)))))
        if what < 7:
            consumer = chance.choice("cd")
            self._takes[consumer] = number = max(-1, self._takes[consumer] + chance.choice((-1, 0, 1, 1, 1)))
            delivery = await self._queue.take(consumer, number, chance.choice((-1, 0, 20, 90, 2**70)), 0)
            self._leased += [item.id for item in delivery.batches]
            return delivery
        if what < 9:
            ids = tuple(chance.choice(self._leased) for _ in range(3))
            await self._queue.ack(ids, chance.choice(("store.1", "store.2")))
        if chance.random() < 0.002:
            draining = asyncio.create_task(self._queue.drain())
            await asyncio.sleep(0)
            draining.cancel()
        return await self._queue.ledger()


@pytest.mark.parametrize("seed", range(20))
async def test_both_kinds_answer_alike(queue_library: Library, seed: int) -> None:
    """Any calls in any order have the same results: one contract, in two languages."""
    clocks = {kind: Clock() for kind in KINDS}
    queues = {kind: make_queue(kind, queue_library, clocks[kind], 200) for kind in KINDS}
    drivers = [Driver(queues[kind], clocks[kind], seed) for kind in KINDS]
    for number in range(2_000):
        python, native = [await driver.step() for driver in drivers]
        assert python == native, f"operation {number}"
    # A sequence that never came to anything would show nothing.
    ledger = await queues["python"].ledger()
    assert ledger.refused > 0
    assert min(ledger.stored.values()) > 100
