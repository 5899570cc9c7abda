"""The REST interface of a real coordinator: everything that its own description allows, and what it must refuse."""

import asyncio
import sys
from itertools import count
from typing import Any

import pytest_asyncio

from tests.support.demonstrator.local import Agent, Local, wait_until
from tests.support.demonstrator.password import SALT, basic, role_filter

PRODUCERS, QUEUE = "inaetics-producer-controller", "inaetics-queue-controller"
PASSWORD = "pass wörd"  # noqa: S105 - of nobody
# Of requests and answers; Schemathesis makes the same ones each time.
SEED, EXAMPLES = "4", "15"


@pytest_asyncio.fixture
async def local(local: Local) -> Local:
    local.api.add_controller("inaetics-processor-controller", 1, 1)
    local.api.add_controller(PRODUCERS, 1, 1)
    local.api.add_lease()
    local.api.add_node("172.17.8.31")
    return local


async def coordinator(local: Local, **environment: str) -> Agent:
    """An agent whose coordinator acts."""
    agent = await local.start_agent("felix_1", "viewer", SCALING_RULE="original", **environment)

    async def acts() -> bool:
        return ("started", "viewer") in await events(local, agent)

    await wait_until(acts, "the coordinator acts")
    return agent


async def events(local: Local, agent: Agent) -> list[tuple[str, str]]:
    told = await local.page(agent, "/coordinator/events")
    return [(event["kind"], event["subject"]) for event in told["events"]]


async def schemathesis(agent: Agent, local: Local, *arguments: str) -> str:
    """Run it against the agent's own description; what it says when it has found something is the failure."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from schemathesis.cli import schemathesis; schemathesis()",
        "run",
        f"http://{agent.address}:{local.pages_port}/coordinator/openapi.json",
        "--checks=all",
        "--phases=coverage,fuzzing",
        f"--max-examples={EXAMPLES}",
        f"--seed={SEED}",
        "--generation-database=none",
        "--no-color",
        *arguments,
        cwd=local.directory,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()


async def test_what_the_description_allows_is_answered_as_it_says(local: Local) -> None:
    agent = await coordinator(local)
    await local.start_agent("felix_2", "queue")
    await local.start_agent("felix_4", "producer")

    async def full() -> bool:
        return bool((await local.page(agent, "/coordinator/statistics"))["accounting"])

    await wait_until(full, "there is something to describe")
    assert "10 selected / 10 total" in await schemathesis(agent, local)
    assert agent.healthy
    assert "Traceback" not in agent.log.read_text()


async def test_with_a_password_changes_need_it_and_reading_does_not(local: Local) -> None:
    agent = await coordinator(local, DASHBOARD_PASSWORD_HASH=role_filter()(PASSWORD, SALT))
    await schemathesis(agent, local, f"--auth=dashboard:{PASSWORD}")
    url = f"http://{agent.address}:{local.pages_port}/coordinator/systemStats"

    async def change(credentials: str, **headers: str) -> int:
        if credentials:
            headers["Authorization"] = basic(credentials)
        async with local.session.post(url, json={"producers": 2}, headers=headers) as answer:
            assert answer.status != 401 or answer.headers["WWW-Authenticate"].startswith("Basic ")
            return answer.status

    scaled = list(local.api.scaled)
    for wrong in ("", "dashboard:pass", "dashboard:"):
        assert await change(wrong) == 401
    assert local.api.scaled == scaled
    # A page elsewhere that knows the password still is elsewhere.
    right = f"anybody:{PASSWORD}"
    assert await change(right, Origin="http://elsewhere.example") == 403
    assert await change(right) == 200
    assert (await local.page(agent, "/coordinator/systemStats"))["producers"]["requested"] == 2
    assert PASSWORD not in agent.log.read_text()


async def test_what_happens_is_kept_and_told(local: Local) -> None:
    agent = await coordinator(local)
    await local.start_agent("felix_2", f"{QUEUE}-aaaaa")

    async def queue_known() -> bool:
        return bool((await local.page(agent, "/coordinator/statistics"))["accounting"])

    await wait_until(queue_known, "the queue is seen")
    url = f"http://{agent.address}:{local.pages_port}/coordinator/systemStats"
    async with local.session.post(url, json={"producers": 2}) as answer:
        assert answer.status == 200
    local.api.add_node("172.17.8.31", ready=False)
    local.api.add_controller(QUEUE, 1, 1)
    await local.stop_agent(f"{QUEUE}-aaaaa")
    expected = {("scaled", PRODUCERS), ("failed", "172.17.8.31"), ("ended", f"{QUEUE}-aaaaa"), ("started", "viewer")}

    async def all_told() -> bool:
        return expected <= set(await events(local, agent))

    await wait_until(all_told, "every event is told")
    told = (await local.page(agent, "/coordinator/events"))["events"]
    assert [event["number"] for event in told] == list(range(1, len(told) + 1))
    assert next(event["by"] for event in told if event["kind"] == "scaled") == "dashboard"


async def test_the_stream_brings_the_log_then_what_happens(local: Local) -> None:
    agent = await coordinator(local)
    async with local.session.get(f"http://{agent.address}:{local.pages_port}/viewer/events") as stream:
        seen: list[str] = []

        async def until(name: str) -> str:
            async for line in stream.content:
                if line.startswith(b"event: "):
                    seen.append(line.decode().split()[1])
                elif line.startswith(b"data: ") and seen[-1] == name:
                    return line.decode()
            raise AssertionError(seen)

        async with asyncio.timeout(20):
            assert "acts as the coordinator" in await until("log")
            assert seen == ["history", "log"]
            await until("overview")
            local.api.add_node("172.17.8.31", ready=False)
            assert "is NotReady" in await until("events")


async def test_figures_are_kept_over_time(local: Local) -> None:
    agent = await coordinator(local)
    await local.start_agent("felix_2", "queue")

    async def kept() -> Any:
        told = await local.page(agent, "/coordinator/figures")
        queued = [item for item in told["series"] if (item["pod"], item["name"]) == ("queue", "queued")]
        return (told["at"], queued) if queued and queued[0]["values"][-1] is not None and len(told["at"]) > 2 else None

    moments, (queued,) = await wait_until(kept, "the queue's figures are kept")
    assert moments == sorted(moments)
    assert len(queued["values"]) == len(moments)
    assert (queued["kind"], queued["unit"]) == ("gauge", "samples")
    async with local.session.get(f"http://{agent.address}:{local.pages_port}/metrics") as answer:
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert 'inaetics_queue_queued{pod="queue"} ' in await answer.text()


async def test_another_version_of_a_bundle_is_an_event(local: Local) -> None:
    """As the provisioning server is told by an agent; the coordinator asks that server."""
    agent = await coordinator(local)
    report = {"target": "felix_2", "node": "172.17.8.32"}
    versions = count()

    async def told() -> bool:
        bundle = {"name": "queue", "version": f"1.0.{next(versions)}", "state": "running"}
        url = f"{local.provisioning_url}/agents/by-hand"
        async with local.session.put(url, json=report | {"bundles": [bundle]}, raise_for_status=True):
            return ("updated", "by-hand") in await events(local, agent)

    await wait_until(told, "another version is seen")
