"""The data store holds the last results, each once, in little memory."""

import tracemalloc

from msgspec.structs import replace

from demonstrator.model import Batch, Result, StoreLedger, StoreResult
from tests.support.demonstrator.engines import make_store


def result(first: int, size: int = 10) -> Result:
    return Result(Batch("p", first, 0.0, (float(first),) * size), "queue.1", "w", 1.0)


async def test_the_store_keeps_the_last_results_and_knows_them_again() -> None:
    store = make_store(capacity=25)
    assert [(await store.put(result(first))).new for first in (0, 10, 10, 20)] == [True, True, False, True]
    assert (store.stored, store.held) == (30, 20)
    assert await store.latest(5) == (result(20), result(10))
    assert await store.latest(0) == ()


async def test_the_store_packs_a_value_into_its_eight_bytes_and_tells_of_its_last_queues() -> None:
    """The packing itself; `python -m bench.loopback` measures the memory of a full store."""
    store = make_store(capacity=10_000)
    batch = Batch("p", 2**40, 1.5, tuple(number / 7 for number in range(50)))
    tracemalloc.start()
    for number in range(400):
        kept = Result(replace(batch, first=batch.first + 50 * number), f"queue.{number // 20}", "w", 2.5)
        assert await store.put(kept) == StoreResult("store.1", new=True)
        assert await store.latest(1) == (kept,)
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (store.stored, store.held) == (20_000, 10_000)
    # 8 bytes are the value; a list of floats has 32 for each.
    assert used < 16 * store.held
    assert await store.ledger() == StoreLedger("store.1", 10_000, {f"queue.{n}": 1_000 for n in range(4, 20)})
