"""One queue takes over from another under load, of either kind, and no sample is lost: real agents."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest_asyncio

from tests.support.demonstrator.local import Local, wait_until

PARTS = ("stored", "queued", "in_work", "refused", "lost")


@pytest_asyncio.fixture
async def local(tmp_path: Path, libraries: Mapping[str, Path]) -> AsyncIterator[Local]:
    async with Local(tmp_path, libraries=libraries) as running:
        running.api.add_lease()
        yield running


async def look(local: Local) -> Any:
    """Return the coordinator's overview; its accounting balances at any time."""
    seen = await local.page(local.agents["viewer"], "/coordinator/statistics")
    if accounting := seen["accounting"]:
        assert accounting["produced"] == sum(accounting[part] for part in PARTS)
    return seen


async def once(local: Local, holds: Any, what: str) -> Any:
    """Return the overview as soon as a condition holds for it."""

    async def held() -> Any:
        seen = await look(local)
        return seen if seen["accounting"] and holds(seen) else None

    return await wait_until(held, what)


def figure(seen: Any, pod: str, name: str) -> float:
    """A figure of a pod's component; KeyError while it is not there."""
    for statistics in seen["statistics"]:
        for one in statistics["figures"]:
            if (statistics["pod"], one["name"]) == (pod, name):
                return float(one["value"])
    raise KeyError(pod, name)


async def test_the_queue_is_switched_to_celix_and_back_and_nothing_is_lost(local: Local) -> None:
    for target, pod in (("felix_1", "viewer"), ("felix_2", "felix-queue"), ("felix_4", "producer")):
        await local.start_agent(target, pod)
    await once(local, lambda seen: seen["accounting"]["queued"] >= 500, "the queue fills without processors")
    await local.start_agent("felix_3", "processor")
    await local.start_agent("celix_3", "celix-processor")
    # More than two processors can take: the old queue always holds something.
    await local.call(local.agents["producer"], "inaetics.producer", "set_rate", rate=1_000.0)
    old = "felix-queue"
    for target, new in (("celix_2", "celix-queue"), ("felix_2", "felix-queue-again")):
        await local.start_agent(target, new)
        await once(local, lambda seen, new=new: figure(seen, new, "queued") >= 0, f"{new} is there")
        before = await once(local, lambda seen, old=old: figure(seen, old, "queued") >= 300, f"{old} holds something")
        await local.stop_agent(old)
        assert local.agents[old].process.returncode == 0
        await once(
            local,
            lambda seen, before=before: seen["accounting"]["stored"] > before["accounting"]["stored"] + 1_000,
            f"it flows through {new}",
        )
        old = new
    seen = await look(local)
    assert figure(seen, "celix-processor", "processed") > 0
    assert figure(seen, "processor", "processed") > 0
    await local.stop_agent("producer")
    end = await once(
        local, lambda seen: seen["accounting"]["queued"] + seen["accounting"]["in_work"] == 0, "the rest is processed"
    )
    accounting = end["accounting"]
    assert (accounting["lost"], accounting["refused"]) == (0, 0)
    # What is stored was counted by the data store, what was produced by the queues.
    assert accounting["produced"] == accounting["stored"] == figure(end, "viewer", "stored")


async def test_a_native_bundle_leaves_no_file_behind(local: Local) -> None:
    """Its library is a file only while it is loaded: nobody can change it afterwards."""
    queue = await local.start_agent("celix_2", "celix-queue")

    async def serves() -> Any:
        return await local.call(queue, "inaetics.queue", "ledger")

    assert (await wait_until(serves, "the native queue serves"))["capacity"] == 10_000
    assert not list(local.directory.rglob("celix-queue/**/*.so"))
    mapped = Path(f"/proc/{queue.process.pid}/maps").read_text()
    assert "native.so (deleted)" in mapped
