"""Bundles that change while their agent runs: real agents, each a process, on loopback."""

import asyncio
import json
import signal
import zipfile
from collections.abc import AsyncIterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from demonstrator.provisioning.pack import pack
from tests.support.demonstrator.local import SOURCE, Agent, Local, wait_until

# A component that tells its version, and which of its modules it was made of.
COMPONENT = """
from pelix.ipopo.decorators import ComponentFactory, Instantiate, Provides, Requires, Validate
from demonstrator.platform import Runtime
from demonstrator.model import Metric, Statistics
from demonstrator.services import Queue, StatsProvider
from own_bundle.number import NUMBER

@ComponentFactory("own")
@Provides(StatsProvider)
@Requires("_runtime", Runtime)
@Instantiate("own")
class Own:
    @Validate
    def start(self, context):
        pass

    async def statistics(self):
        pod = self._runtime.identity.pod
        return Statistics("own", pod, (Metric("number", "gauge", "", NUMBER),))
"""
WAITS = COMPONENT.replace("@Instantiate", '@Requires("_queue", Queue)\n@Instantiate')


@pytest_asyncio.fixture
async def local(tmp_path: Path) -> AsyncIterator[Local]:
    async with Local(tmp_path) as running:
        yield running
        for log in sorted(tmp_path.glob("*.log")):
            print(log.name, log.read_text())


def own(tmp_path: Path, version: str, code: str = COMPONENT, imports: tuple[str, ...] = ()) -> bytes:
    """A version of a bundle whose number is the first of its version."""
    directory = tmp_path / f"own-{version}"
    directory.mkdir()
    manifest = {"name": "own", "version": version, "module": "own_bundle", "description": "", "imports": imports}
    (directory / "bundle.json").write_text(json.dumps(manifest))
    (directory / "__init__.py").write_text(code)
    (directory / "number.py").write_text(f"NUMBER = {float(version.split('.', maxsplit=1)[0])}")
    return pack(directory)[1]


def renewed(name: str, version: str) -> bytes:
    """The image's own bundle as another version, which says so in its manifest alone."""
    _, content = pack(SOURCE / "bundles" / name)
    changed = BytesIO()
    with zipfile.ZipFile(BytesIO(content)) as before, zipfile.ZipFile(changed, "w") as after:
        for entry in before.infolist():
            text = before.read(entry)
            if entry.filename == "bundle.json":
                text = json.dumps(json.loads(text) | {"version": version}).encode()
            after.writestr(entry.filename, text)
    return changed.getvalue()


async def deploy(local: Local, target: str, archive: bytes) -> str:
    """Upload a bundle and give it to a target; its name and version."""
    listed = await local.change("POST", "/bundles", data=archive)
    await local.change("PUT", f"/targets/{target}/bundles/{listed['name']}", json={"version": listed["version"]})
    return f"{listed['name']} {listed['version']}"


async def becomes(local: Local, pod: str, bundle: str, state: str) -> dict[str, str]:
    async def reported() -> Any:
        bundles = await local.reported(pod)
        return bundles if bundles.get(bundle, "").startswith(state) else None

    return dict(await wait_until(reported, f"{pod} reports {bundle} {state}"))


async def numbers(local: Local, agent: Agent) -> list[float]:
    """Return the figures of the agent's StatsProviders that are ours."""
    told = []
    for service in (await local.page(agent, "/services"))["services"]:
        if service["contract"] == "inaetics.statistics":
            url = local.url(agent, f"/{service['id']}/inaetics.statistics/statistics")
            async with local.session.post(url, json={}) as answer:
                result = (await answer.json())["result"]
            told += [figure["value"] for figure in result["figures"] if result["component"] == "own"]
    return told


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


async def figure(local: Local, pod: str, name: str) -> float:
    """A figure of one of the pod's StatsProviders."""
    agent = local.agents[pod]
    for service in (await local.page(agent, "/services"))["services"]:
        if service["contract"] == "inaetics.statistics":
            url = local.url(agent, f"/{service['id']}/inaetics.statistics/statistics")
            async with local.session.post(url, json={}) as answer:
                for told in (await answer.json())["result"]["figures"]:
                    if told["name"] == name:
                        return float(told["value"])
    raise AssertionError(f"{pod} has no figure {name}")


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
