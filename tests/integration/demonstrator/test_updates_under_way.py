"""Updates under full load, with a server that is killed meanwhile, or of an agent that ends."""

import asyncio
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.support.demonstrator.local import Local, wait_until
from tests.support.demonstrator.updates import WAITS, becomes, deploy, numbers, own, renewed, statistics


async def figure(local: Local, pod: str, name: str) -> float:
    """Return a figure of one of the pod's StatsProviders."""
    for answer in await statistics(local, local.agents[pod]):
        for one in answer["figures"]:
            if one["name"] == name:
                return float(one["value"])
    raise AssertionError(f"{pod} has no figure {name}")


@pytest.mark.parametrize(("target", "bundle"), [("felix_2", "queue"), ("felix_3", "processor")])
async def test_what_is_updated_under_full_load_loses_no_sample(local: Local, target: str, bundle: str) -> None:
    for number, pod in enumerate(("viewer", "queue", "processor", "producer"), 1):
        await local.start_agent(f"felix_{number}", pod)

    async def accounting() -> Any:
        return (await local.page(local.agents["viewer"], "/coordinator/statistics"))["accounting"]

    for version in ("99.0.0", "99.0.1"):
        started = await wait_until(accounting, "samples are counted")

        async def flows(before: int = started["stored"]) -> bool:
            return bool((await accounting())["stored"] > before + 100)

        await wait_until(flows, "samples are stored while more arrive")
        await becomes(local, bundle, await deploy(local, target, renewed(bundle, version)), "running")
    await local.call(local.agents["producer"], "inaetics.producer", "set_rate", rate=0.0)

    async def settled() -> Any:
        now, produced = await accounting(), await figure(local, "producer", "produced")
        return produced if now["stored"] + now["refused"] == produced and not now["queued"] + now["in_work"] else None

    produced = await wait_until(settled, "every sample that was made is stored")
    assert await figure(local, "viewer", "stored") == produced
    assert local.agents[bundle].log.read_text().count("in place of") == 2


@pytest.mark.parametrize("moment", ["offered", "fetched"])
async def test_a_server_that_is_killed_during_an_update_leaves_a_whole_version(
    local: Local, tmp_path: Path, moment: str
) -> None:
    queue = await local.start_agent("felix_2", "queue")
    await becomes(local, "queue", await deploy(local, "felix_2", own(tmp_path, "1.0.0")), "running")
    new = await deploy(local, "felix_2", own(tmp_path, "2.0.0"))
    if moment == "fetched":

        async def fetched() -> bool:
            return "runs own 2.0.0" in queue.log.read_text()

        await wait_until(fetched, "the new version runs, which is not reported yet or just now")
    local.provisioning.send_signal(signal.SIGKILL)
    await local.provisioning.wait()
    assert await numbers(local, queue) in ([1.0], [2.0])
    await local.start_provisioning()
    bundles = await becomes(local, "queue", new, "running")
    assert await numbers(local, queue) == [2.0]
    assert len(bundles) == 2
    assert queue.healthy
    await asyncio.gather(*(local.stop_agent(pod) for pod in list(local.agents)))


async def test_a_server_that_is_killed_while_a_version_fails_to_start_learns_of_it_later(
    local: Local, tmp_path: Path
) -> None:
    agent = await local.start_agent("felix_4", "producer")
    await becomes(local, "producer", await deploy(local, "felix_4", own(tmp_path, "1.0.0")), "running")
    bad = await deploy(local, "felix_4", own(tmp_path, "2.0.0", WAITS))
    await becomes(local, "producer", bad, "waiting")
    local.provisioning.send_signal(signal.SIGKILL)
    await local.provisioning.wait()
    await local.start_provisioning()
    await becomes(local, "producer", bad, "rolled back: ")
    await becomes(local, "producer", "own 1.0.0", "running")
    assert await numbers(local, agent) == [1.0]


async def test_an_agent_that_drains_installs_nothing(local: Local) -> None:
    queue = await local.start_agent("felix_2", "queue")

    async def put() -> Any:
        return await local.call(
            queue, "inaetics.queue", "put", batch={"source": "a", "first": 0, "made_at": 1.0, "values": [1.0]}
        )

    await wait_until(put, "the queue holds samples")
    queue.process.terminate()

    async def drains() -> bool:
        return "stops" in queue.log.read_text()

    await wait_until(drains, "the agent waits for a processor")
    await deploy(local, "felix_2", renewed("queue", "99.0.0"))
    assert await queue.process.wait() == 0
    assert "99.0.0" not in queue.log.read_text()
