"""Samples in a killed pod are counted as lost, and no others: real agents, killed for real."""

import signal
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from tests.support.demonstrator.local import Local, wait_until

PARTS = ("stored", "queued", "in_work", "refused", "lost")


@pytest_asyncio.fixture
async def local(local: Local) -> Local:
    local.api.add_lease()
    for target, pod in (("felix_1", "viewer"), ("felix_2", "queue"), ("felix_4", "producer")):
        await local.start_agent(target, pod)
    return local


async def accounting(local: Local, viewer: str = "viewer") -> Any:
    """Return the coordinator's accounting, which balances at any time."""
    seen = (await local.page(local.agents[viewer], "/coordinator/statistics"))["accounting"]
    assert not seen or seen["produced"] == sum(seen[part] for part in PARTS)
    return seen


async def once(local: Local, holds: Any, what: str, viewer: str = "viewer") -> Any:
    """The accounting, as soon as something holds for it."""

    async def look() -> Any:
        seen = await accounting(local, viewer)
        return seen if seen and holds(seen) else None

    return await wait_until(look, what)


async def test_what_a_killed_queue_held_is_lost_and_nothing_else(local: Local) -> None:
    await local.start_agent("felix_3", "processor")
    before = await once(local, lambda seen: seen["stored"] and seen["queued"] >= 300, "samples are stored and wait")
    await local.stop_agent("queue", signal.SIGKILL)
    await local.stop_agent("producer", signal.SIGKILL)
    after = await once(local, lambda seen: not seen["queued"] + seen["in_work"], "the queue's account is closed")
    assert (after["capacity"], after["refused"]) == (0, 0)
    assert after["produced"] >= before["produced"]
    assert after["stored"] >= before["stored"]
    assert after["lost"] >= 300 - 50
    await local.start_agent("felix_2", "queue-2")
    await local.start_agent("felix_4", "producer-2")
    later = await once(local, lambda seen: seen["stored"] > after["stored"] + 200, "it flows again")
    # A result may have been on its way to the data store when the queue died.
    assert later["lost"] <= after["lost"]
    assert later["produced"] > after["produced"]


async def test_what_a_killed_data_store_held_is_lost_and_its_successor_knows(local: Local) -> None:
    await local.start_agent("felix_3", "processor")
    await once(local, lambda seen: seen["stored"] > 300, "samples are stored")

    async def kept() -> bool:
        accounts = (local.api.lease or {})["metadata"].get("annotations", {}).get("inaetics.org/accounts", "")
        return '"viewer.' in accounts

    await wait_until(kept, "the books are kept with the lease")
    before = await accounting(local)
    await local.stop_agent("viewer", signal.SIGKILL)
    await local.start_agent("felix_1", "viewer-2")
    after = await once(local, lambda seen: seen["lost"] >= before["stored"], "what was stored is lost", "viewer-2")
    later = await once(local, lambda seen: seen["stored"] > after["stored"], "it flows again", "viewer-2")
    assert later["lost"] == after["lost"]
    await local.stop_agent("queue")
    closed = await once(local, lambda seen: not seen["queued"] + seen["in_work"], "the queue is closed", "viewer-2")
    assert closed["produced"] >= later["produced"]


async def test_a_producers_kind_is_set_by_a_call(local: Local) -> None:
    producer = local.agents["producer"]

    async def kind() -> Any:
        return await local.call(producer, "inaetics.producer", "kind")

    assert await wait_until(kind, "the producer answers") == "periodic"
    await local.call(producer, "inaetics.producer", "set_kind", kind="burst")
    assert await kind() == "burst"
    with pytest.raises(aiohttp.ClientResponseError, match="400"):
        await local.call(producer, "inaetics.producer", "set_kind", kind="seldom")
