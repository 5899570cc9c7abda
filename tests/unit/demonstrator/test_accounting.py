"""Every sample is stored, queued, in work, refused or counted as lost, also after any process was killed."""

import random
from dataclasses import dataclass
from itertools import pairwise

import pytest

from demonstrator.bundles.coordinator.accounting import ObservedCounters, SampleAccounting
from demonstrator.bundles.queue import BoundedQueue
from demonstrator.model import (
    MAX_REPORTED_QUEUES,
    Batch,
    PutResult,
    PutTotals,
    QueueLedger,
    StoreLedger,
)
from demonstrator.model.overview import Accounting

CAPACITY, STORE_CAPACITY = 1_000, 500


def is_balanced(all_of: Accounting) -> bool:
    """Tell whether every sample is accounted for."""
    return all_of.produced == all_of.stored + all_of.queued + all_of.in_work + all_of.refused + all_of.lost


def ledger(name: str, queued: int = 0, in_work: int = 0, refused: int = 0, **stored: int) -> QueueLedger:
    """A ledger that balances; `s_1=20` was stored in the data store s.1."""
    by_store = {store.replace("_", "."): samples for store, samples in stored.items()}
    return QueueLedger(
        name, CAPACITY, sum(by_store.values()) + queued + in_work + refused, by_store, queued, in_work, refused
    )


def store(name: str, **received: int) -> StoreLedger:
    return StoreLedger(name, STORE_CAPACITY, {queue.replace("_", "."): samples for queue, samples in received.items()})


def answers(source: str, **by_queue: tuple[int, int]) -> PutTotals:
    names = {queue.replace("_", "."): totals for queue, totals in by_queue.items()}
    return PutTotals(source, {name: PutResult(*totals, name) for name, totals in names.items()})


ALL = {"viewer", "q", "s", "p", "r"}
# Restarted in its pod, the queue q is q.2; killed with its pod, it is replaced by the pod o's.
P, R = answers("p.1", q_1=(70, 0)), answers("r.1", q_1=(30, 5))
FLOWING = ObservedCounters(
    [ledger("q.1", queued=30, in_work=10, refused=5, s_1=60)],
    [store("s.1", q_1=60)],
    [P, R],
    ALL,
)


@dataclass(frozen=True)
class Case:
    """Counters second by second, and the sum in the end."""

    observed: tuple[ObservedCounters, ...]
    expected: tuple[int, int, int, int, int, int]  # produced, stored, queued, in work, refused, lost


CASES = {
    "all is well": Case((FLOWING,), (105, 60, 30, 10, 5, 0)),
    "the queue is silent, its pod is there": Case(
        (FLOWING, ObservedCounters((), FLOWING.stores, (), ALL)), (105, 60, 30, 10, 5, 0)
    ),
    "the pods are not known yet": Case((FLOWING, ObservedCounters()), (105, 60, 30, 10, 5, 0)),
    "the queue is killed with its pod": Case(
        (FLOWING, ObservedCounters((), FLOWING.stores, FLOWING.producers, ALL - {"q"})), (105, 60, 0, 0, 5, 40)
    ),
    "the queue is killed and starts again in its pod": Case(
        (FLOWING, ObservedCounters([ledger("q.2", queued=7)], FLOWING.stores, FLOWING.producers, ALL)),
        (112, 60, 7, 0, 5, 40),
    ),
    "what it accepted and refused after it was last asked comes from the producers": Case(
        (
            FLOWING,
            ObservedCounters(
                (), FLOWING.stores, [answers("p.1", q_1=(90, 8)), answers("r.1", q_1=(30, 5))], ALL - {"q"}
            ),
        ),
        (133, 60, 0, 0, 13, 60),
    ),
    "what it settled after it was last asked comes from the data store": Case(
        (FLOWING, ObservedCounters((), [store("s.1", q_1=85)], FLOWING.producers, ALL - {"q"})), (105, 85, 0, 0, 5, 15)
    ),
    "a late result reaches the data store after its queue died": Case(
        (
            FLOWING,
            ObservedCounters((), [store("s.1", q_1=60)], FLOWING.producers, ALL - {"q"}),
            ObservedCounters([ledger("o.1", s_1=50)], [store("s.1", q_1=80, o_1=50)], (), ALL - {"q"} | {"o"}),
        ),
        (155, 130, 0, 0, 5, 20),
    ),
    "a producer is killed in the same second as the queue": Case(
        (FLOWING, ObservedCounters((), FLOWING.stores, [answers("r.1", q_1=(40, 5))], ALL - {"q", "p"})),
        (115, 60, 0, 0, 5, 50),
    ),
    "a killed producer loses nothing": Case(
        (FLOWING, ObservedCounters(FLOWING.queues, FLOWING.stores, [R], ALL - {"p"})), (105, 60, 30, 10, 5, 0)
    ),
    "the answers to a killed producer are remembered": Case(
        (
            FLOWING,
            ObservedCounters(FLOWING.queues, (), [answers("p.2", q_1=(20, 0)), R], ALL),
            ObservedCounters((), (), (), ALL - {"p"}),
            ObservedCounters((), (), (), ALL - {"p", "q"}),
        ),
        (125, 60, 0, 0, 5, 60),
    ),
    "the data store is killed": Case(
        (FLOWING, ObservedCounters(FLOWING.queues, (), FLOWING.producers, ALL - {"s"})), (105, 0, 30, 10, 5, 60)
    ),
    "the data store is killed and starts again in its pod": Case(
        (
            FLOWING,
            ObservedCounters(
                [ledger("q.1", queued=10, in_work=10, refused=5, s_1=70, s_2=10)], [store("s.2", q_1=10)], (), ALL
            ),
        ),
        (105, 10, 10, 10, 5, 70),
    ),
    "a data store that was never asked counts in full": Case(
        (ObservedCounters([ledger("q.1", s_1=2_000)], (), (), {"viewer", "q"}),), (2_000, 0, 0, 0, 0, 2_000)
    ),
    "what had left the data store in its time is not lost with it": Case(
        (
            ObservedCounters([ledger("q.1", s_1=600)], [store("s.1", q_1=600)], (), ALL),
            ObservedCounters([ledger("q.1", s_1=600), ledger("o.1", s_1=100)], (), (), ALL - {"s"} | {"o"}),
        ),
        (700, 200, 0, 0, 0, 500),
    ),
    "queue and data store are killed": Case(
        (FLOWING, ObservedCounters((), (), FLOWING.producers, {"viewer", "p", "r"})), (105, 0, 0, 0, 5, 100)
    ),
    "queue and data store are killed, one after the other": Case(
        (
            FLOWING,
            ObservedCounters((), [store("s.1", q_1=70)], FLOWING.producers, ALL - {"q"}),
            ObservedCounters((), (), FLOWING.producers, {"viewer", "p", "r"}),
        ),
        (105, 0, 0, 0, 5, 100),
    ),
    "a switch: two queues for a moment, and the old one is drained": Case(
        (
            FLOWING,
            ObservedCounters([*FLOWING.queues, ledger("o.1", queued=20)], FLOWING.stores, (), ALL | {"o"}),
            ObservedCounters(
                [ledger("q.1", refused=5, s_1=100), ledger("o.1", queued=20, s_1=20)],
                [store("s.1", q_1=100, o_1=20)],
                [answers("p.1", q_1=(70, 0), o_1=(40, 0)), answers("r.1", q_1=(30, 5))],
                ALL | {"o"},
            ),
            ObservedCounters([ledger("o.1", queued=20, s_1=20)], (), (), ALL - {"q"} | {"o"}),
        ),
        (145, 120, 20, 0, 5, 0),
    ),
    "a queue that nobody asked in time is known from producers and data store": Case(
        (ObservedCounters((), [store("s.1", q_1=60)], FLOWING.producers, ALL - {"q"}),), (105, 60, 0, 0, 5, 40)
    ),
    "a queue that was taken for dead answers again": Case(
        (FLOWING, ObservedCounters((), FLOWING.stores, FLOWING.producers, ALL - {"q"}), FLOWING),
        (105, 60, 30, 10, 5, 0),
    ),
}


def figures(accounting: Accounting | None) -> tuple[int, int, int, int, int, int]:
    assert accounting
    assert is_balanced(accounting)
    return (
        accounting.produced,
        accounting.stored,
        accounting.queued,
        accounting.in_work,
        accounting.refused,
        accounting.lost,
    )


@pytest.mark.parametrize("restarted", [False, True], ids=["one coordinator", "a new coordinator every second"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_every_sample_is_somewhere(case: Case, *, restarted: bool) -> None:
    accounts = SampleAccounting()
    for observed in case.observed:
        if restarted:
            saved, accounts = accounts.save(), SampleAccounting()
            accounts.load(saved)
        accounting = accounts.update(observed)
        figures(accounting)
    assert figures(accounting) == case.expected
    assert accounting
    assert accounting.capacity == CAPACITY * len(case.observed[-1].queues)


def test_without_a_queue_there_is_nothing_to_account_for() -> None:
    assert SampleAccounting().update(ObservedCounters((), [store("s.1")], (), {"s"})) is None


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"accounts": {"q": 1}, "total": {}, "capacities": {}}'])
def test_what_nobody_saved_changes_nothing(text: str) -> None:
    accounts = SampleAccounting()
    accounts.update(FLOWING)
    before = accounts.save()
    accounts.load(text)
    assert accounts.save() == before


def test_a_thousand_restarts_stay_small_and_lose_no_count() -> None:
    accounts, produced, lost = SampleAccounting(), 0, 0
    sizes = []
    for number in range(1_000):
        queue, keeper = f"q.{number}", f"s.{number // 100}"
        ledgers = [ledger(queue, queued=3, **{keeper.replace(".", "_"): 10})]
        stores = [
            store(
                keeper,
                **{
                    f"q_{old}": 10
                    for old in range(max(number // 100 * 100, number + 1 - MAX_REPORTED_QUEUES), number + 1)
                },
            )
        ]
        # Producers go on telling of the queues they knew.
        known = {f"q_{old}": (13, 0) for old in range(max(0, number - MAX_REPORTED_QUEUES), number)}
        accounting = accounts.update(ObservedCounters(ledgers, stores, [answers("p.1", **known)], ALL))
        produced += 13
        lost = number * 3 + (number // 100) * 500
        assert figures(accounting) == (produced, produced - lost - 3, 3, 0, 0, lost)
        sizes.append(len(accounts.save()))
    assert max(sizes[700:]) <= max(sizes[550:700]) + 200 < 20_000


def small_queue(name: str) -> BoundedQueue:
    queue = BoundedQueue()
    queue.name, queue.capacity, queue.clock = name, 300, lambda: 0.0
    return queue


@pytest.mark.parametrize("seed", range(10))
async def test_it_balances_and_hides_nothing_whatever_dies(seed: int) -> None:
    """Real queues; what is known to have been put into and to have come out of them is counted apart."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    accounts, lives = SampleAccounting(), {"q": 1, "s": 1}
    queue = small_queue("q.1")
    offered = refused = 0
    stored: dict[str, int] = {}
    received: dict[str, int] = {}
    told: dict[str, PutResult] = {}
    seen_lost = []
    for step in range(400):
        name, keeper = f"q.{lives['q']}", f"s.{lives['s']}"
        match chance.randrange(12):
            case 0 | 1 | 2 | 3 | 4:
                receipt = await queue.put(Batch("p.1", step * 20, 0.0, (0.0,) * 20))
                before = told.get(name, PutResult(0, 0, name))
                told[name] = PutResult(before.accepted + receipt.accepted, before.refused + receipt.refused, name)
                offered, refused = offered + 20, refused + receipt.refused
            case 5 | 6 | 7 | 8 | 9:
                for batch in (await queue.take("c", step, 40, 0)).batches:
                    received[name] = received.get(name, 0) + len(batch)
                    stored[keeper] = stored.get(keeper, 0) + len(batch)
                    if chance.random() < 0.7:
                        await queue.ack((batch.id,), keeper)
            case 10 if step % 5 == 0:
                lives["q"] += 1
                queue = small_queue(f"q.{lives['q']}")
            case 11 if step % 5 == 0:
                lives["s"] += 1
                received = {}
        if chance.random() < 0.5:
            live = StoreLedger(f"s.{lives['s']}", 10_000, dict(received))
            accounting = accounts.update(
                ObservedCounters([await queue.ledger()], [live], [PutTotals("p.1", dict(told))], ALL)
            )
            assert accounting
            assert is_balanced(accounting)
            assert (accounting.produced, accounting.refused) == (offered, refused)
            ledger = await queue.ledger()
            held = ledger.queued + ledger.in_work
            assert (accounting.queued + accounting.in_work, accounting.stored + accounting.lost) == (
                held,
                offered - refused - held,
            )
            # Never more than what the live data store really has.
            assert accounting.stored <= stored.get(f"s.{lives['s']}", 0)
            seen_lost.append(accounting.lost)
    assert any(later > earlier for earlier, later in pairwise(seen_lost))
