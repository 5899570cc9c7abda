"""Bundles that change while their agent runs: real agents, each a process, on loopback."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from demonstrator.provisioning.pack import pack
from tests.support.demonstrator.local import Local, wait_until
from tests.support.demonstrator.updates import COMPONENT, WAITS, becomes, deploy, numbers, own, renewed


async def test_a_running_agent_is_given_a_bundle_another_version_of_it_and_loses_it(
    local: Local, tmp_path: Path
) -> None:
    queue = await local.start_agent("felix_2", "queue")
    await becomes(local, "queue", await deploy(local, "felix_2", own(tmp_path, "1.0.0")), "running")
    assert await numbers(local, queue) == [1.0]
    bundles = await becomes(local, "queue", await deploy(local, "felix_2", own(tmp_path, "2.0.0")), "running")
    # Its second module is new as well.
    assert await numbers(local, queue) == [2.0]
    assert "own 1.0.0" not in bundles
    await local.change("POST", "/targets/felix_2/rollback")
    await becomes(local, "queue", "own 1.0.0", "running")
    assert await numbers(local, queue) == [1.0]
    await local.change("DELETE", "/targets/felix_2/bundles/own")

    async def gone() -> bool:
        return len(await local.reported("queue")) == 1

    await wait_until(gone, "it is removed")
    assert await numbers(local, queue) == []
    assert len(list((queue.state / "bundles").iterdir())) == 1
    assert queue.log.read_text().count("runs queue ") == 1


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("no Python", "invalid syntax"),
        ("import nothing_like_this", "No module named 'nothing_like_this'"),
        ("raise SystemExit('leaving')", "leaving"),
        (COMPONENT.replace("        pass", "        raise RuntimeError('not today')"), "RuntimeError: not today"),
        (
            COMPONENT.replace("    @Validate", "    def __init__(self):\n        1 / 0\n\n    @Validate"),
            "could not be created",
        ),
        (WAITS, "waiting after 10 s"),
    ],
)
async def test_a_version_that_does_not_start_makes_way_for_the_one_before(
    local: Local, tmp_path: Path, code: str, reason: str
) -> None:
    agent = await local.start_agent("felix_4", "producer")
    await becomes(local, "producer", await deploy(local, "felix_4", own(tmp_path, "1.0.0")), "running")
    bad = await deploy(local, "felix_4", own(tmp_path, "2.0.0", code))
    bundles = await becomes(local, "producer", bad, "rolled back: ")
    assert reason in bundles[bad]
    await becomes(local, "producer", "own 1.0.0", "running")
    assert await numbers(local, agent) == [1.0]
    # Something else changes: the bad one is not tried again.
    other = await deploy(local, "felix_4", renewed("producer", "99.0.0"))
    bundles = await becomes(local, "producer", other, "")
    assert bad in bundles
    assert agent.log.read_text().count(f"{bad} is rolled back") == 1
    # Another digest is offered, and what is offered then is right.
    bundles = await becomes(local, "producer", await deploy(local, "felix_4", own(tmp_path, "3.0.0")), "running")
    assert bad not in bundles
    assert await numbers(local, agent) == [3.0]
    assert agent.healthy


async def test_an_update_leaves_the_other_bundles_of_its_agent_alone(local: Local, tmp_path: Path) -> None:
    viewer = await local.start_agent("felix_1", "viewer")

    async def store() -> Any:
        services = (await local.page(viewer, "/services"))["services"]
        return [service["id"] for service in services if service["contract"] == "inaetics.datastore"]

    before = await wait_until(store, "the data store is there")
    await becomes(local, "viewer", await deploy(local, "felix_1", renewed("viewer", "99.0.0")), "running")
    assert await store() == before
    async with local.session.get(f"http://{viewer.address}:{local.pages_port}/") as page:
        assert page.status == 200
    assert viewer.log.read_text().count("exports inaetics.datastore") == 1


async def overviews(stream: aiohttp.ClientResponse) -> AsyncIterator[None]:
    """Yield for each overview, until the stream ends."""
    with suppress(aiohttp.ClientError):
        async for line in stream.content:
            if line == b"event: overview\n":
                yield


@pytest.mark.parametrize("bundle", ["coordinator", "viewer"])
async def test_a_page_of_an_updated_bundle_is_told_to_connect_again(local: Local, bundle: str) -> None:
    viewer = await local.start_agent("felix_1", "viewer")
    base = f"http://{viewer.address}:{local.pages_port}"

    async def open_stream() -> Any:
        return await local.session.get(f"{base}/viewer/events", raise_for_status=True)

    async with await wait_until(open_stream, "the viewer serves its stream") as stream:
        before = overviews(stream)
        await anext(before)
        await becomes(local, "viewer", await deploy(local, "felix_1", renewed(bundle, "99.0.0")), "running")
        async with asyncio.timeout(10):
            async for _ in before:
                pass
    async with await wait_until(open_stream, "the new version serves its stream") as stream:
        await anext(overviews(stream))


async def test_requests_that_wait_for_a_removed_coordinator_are_answered(local: Local) -> None:
    viewer = await local.start_agent("felix_1", "viewer")
    base = f"http://{viewer.address}:{local.pages_port}"

    async def get(path: str) -> int:
        async with local.session.get(base + path) as response:
            await response.read()
            return response.status

    async def serves() -> bool:
        return await get("/metrics") == 200

    await wait_until(serves, "the coordinator answers")
    removal = asyncio.create_task(local.change("DELETE", "/targets/felix_1/bundles/coordinator"))
    statuses = set[int]()
    # One overview a second: at any moment there are requests that wait for the next one.
    async with asyncio.timeout(20):
        while 404 not in statuses:
            statuses |= set(await asyncio.gather(*(get(path) for path in ("/coordinator/statistics", "/metrics"))))
    await removal
    assert 503 in statuses <= {200, 503, 404}


async def test_a_bundle_cannot_take_a_module_that_is_there(local: Local, tmp_path: Path) -> None:
    await local.start_agent("felix_2", "queue")
    await becomes(local, "queue", await deploy(local, "felix_2", own(tmp_path, "1.0.0")), "running")
    directory = tmp_path / "rival"
    directory.mkdir()
    manifest = {"name": "rival", "version": "1.0.0", "module": "own_bundle", "description": "", "imports": []}
    (directory / "bundle.json").write_text(json.dumps(manifest))
    (directory / "__init__.py").write_text("")
    bundles = await becomes(local, "queue", await deploy(local, "felix_2", pack(directory)[1]), "refused: ")
    assert "module own_bundle exists already" in bundles["rival 1.0.0"]
    assert bundles["own 1.0.0"] == "running"
