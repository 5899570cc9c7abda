"""Agents, provisioning server and pod discovery as they run in the cluster, on loopback."""

import asyncio
import hashlib
import io
import json
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from demonstrator.provisioning.pack import pack
from tests.support.demonstrator.local import AGENT_PARTS, Local, wait_until

BATCH = {"source": "by-hand", "first": 0, "made_at": 1.0, "values": [1.0, 2.0]}


async def overview(local: Local) -> Any:
    return await local.page(local.agents["viewer"], "/coordinator/statistics")


async def test_data_flows_and_every_sample_is_accounted_for(local: Local) -> None:
    for target, pod in (("felix_2", "queue"), ("felix_1", "viewer"), ("felix_4", "producer")):
        await local.start_agent(target, pod)

    async def filled() -> bool:
        accounting = (await overview(local))["accounting"]
        return bool(accounting) and accounting["queued"] >= 500

    await wait_until(filled, "the queue fills without processors")
    for pod in ("processor-1", "processor-2"):
        await local.start_agent("felix_3", pod)

    async def emptied() -> bool:
        seen = await overview(local)
        return bool(seen["now"]["stored"] > 450 and seen["now"]["utilisation"] < 5)

    await wait_until(emptied, "two processors empty it")
    seen = await overview(local)
    assert {pod["name"] for pod in seen["pods"]} == set(local.agents)
    components = [item["component"] for item in seen["statistics"]]
    assert sorted(set(components)) == ["datastore", "processor", "producer", "queue"]
    assert components.count("processor") == 2

    # A killed processor loses nothing: what it had is lent to the other one.
    await local.stop_agent("processor-1", signal.SIGKILL)
    made = next(item for item in seen["statistics"] if item["component"] == "producer")
    await local.stop_agent("producer")

    async def settled() -> Any:
        accounting = (await overview(local))["accounting"]
        return accounting if accounting["queued"] + accounting["in_work"] == 0 else None

    accounting = await wait_until(settled, "the rest is processed")
    assert accounting["produced"] == accounting["stored"] + accounting["refused"]
    assert accounting["lost"] == 0
    produced = next(item["value"] for item in made["figures"] if item["name"] == "produced")
    assert accounting["produced"] >= produced
    stored = (await overview(local))["statistics"][0]["figures"][0]
    assert (stored["name"], stored["value"]) == ("stored", accounting["stored"])


async def test_an_agent_is_blank_until_it_is_given_its_bundles(local: Local) -> None:
    code = "import demonstrator.agent.__main__, demonstrator.bundles"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        code,
        env={"PYTHONPATH": str(local.image(AGENT_PARTS))},
        cwd=local.directory,
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate()
    assert b"No module named 'demonstrator.bundles'" in errors

    queue = await local.start_agent("felix_2", "queue")

    async def exporting() -> bool:
        return len((await local.page(queue, "/services"))["services"]) == 2

    await wait_until(exporting, "the queue is installed")
    assert {service["contract"] for service in (await local.page(queue, "/services"))["services"]} == {
        "inaetics.queue",
        "inaetics.statistics",
    }

    async def reported() -> Any:
        async with local.session.get(f"{local.provisioning_url}/agents") as answer:
            return (await answer.json())["queue"]["report"]["bundles"]

    bundles = await wait_until(reported, "the agent reports")
    assert bundles == [{"name": "queue", "version": "2.0.0", "state": "running"}]


def archive_of(directory: Path, manifest: dict[str, Any], code: str) -> bytes:
    """An archive as the provisioning server packs it."""
    directory.mkdir()
    (directory / "bundle.json").write_text(json.dumps(manifest))
    (directory / "__init__.py").write_text(code)
    return pack(directory)[1]


@pytest.mark.parametrize(
    ("code", "changes", "complaint"),
    [
        ("", {"digest": "sha256:" + 64 * "0"}, "own 1.0.0 has digest sha256:"),
        ("", {"version": "1.0.1"}, "own 1.0.1 calls itself own 1.0.0"),
        ("no Python", {}, "invalid syntax"),
        ("import nothing_like_this", {}, "No module named 'nothing_like_this'"),
        ("raise RuntimeError('broken')", {}, "broken"),
        ("", {"imports": ["no.such.contract"]}, "no contract is called no.such.contract"),
    ],
)
async def test_a_bundle_that_is_not_right_is_refused_and_the_agent_goes_on(
    local: Local, tmp_path: Path, code: str, changes: dict[str, Any], complaint: str
) -> None:
    manifest = {"name": "own", "version": "1.0.0", "module": "own_bundle", "description": ""}
    archive = archive_of(tmp_path / "own", manifest | {"imports": changes.get("imports", [])}, code)
    digest = f"sha256:{hashlib.sha256(archive).hexdigest()}"
    offer = {"name": "own", "version": "1.0.0", "digest": digest, "path": "/b"}
    offer |= {key: value for key, value in changes.items() if key in offer}
    reports: list[Any] = []

    async def report(request: web.Request) -> web.Response:
        reports.append(await request.json())
        return web.Response(status=204)

    async def target(request: web.Request) -> web.Response:
        return web.json_response([offer])

    async def bundle(request: web.Request) -> web.Response:
        return web.Response(body=archive)

    app = web.Application()
    app.add_routes([web.get("/targets/felix_2", target), web.get("/b", bundle), web.put("/agents/queue", report)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    agent = await local.start_agent("felix_2", "queue", PROVISIONING_URL=f"http://127.0.0.1:{port}")

    async def refused() -> Any:
        return reports and reports[-1]["bundles"]

    states = await wait_until(refused, "the refusal is reported")
    await runner.cleanup()
    assert states[0]["state"].startswith("refused: ")
    assert complaint in states[0]["state"]
    assert (await local.page(agent, "/services"))["services"] == []
    ready = f"http://{agent.address}:{local.pages_port}/ready"
    async with local.session.get(ready) as answer:
        assert answer.status == 503
    # Waiting for a better bundle is no reason to be restarted.
    assert agent.healthy


async def test_a_dead_provider_is_dropped_though_its_pod_is_still_listed(local: Local) -> None:
    await local.start_agent("felix_1", "viewer")
    await local.start_agent("felix_2", "queue")

    async def present() -> bool:
        return bool((await overview(local))["accounting"])

    await wait_until(present, "the queue is found")
    local.agents["queue"].process.kill()  # and its pod stays in the list

    async def log() -> str:
        return local.agents["viewer"].log.read_text()

    await wait_until(log, "the viewer drops the queue", lambda text: "drops inaetics.queue" in text)
    assert (await overview(local))["accounting"]["capacity"] == 0


async def test_a_stuck_agent_loses_its_health_file(local: Local) -> None:
    agent = await local.start_agent("felix_2", "queue")

    async def healthy() -> bool:
        return agent.healthy

    await wait_until(healthy, "a blank agent is healthy")
    await local.stop_agent("queue")
    assert not agent.healthy
    assert agent.process.returncode == 0


async def test_calls_are_idempotent_and_bad_ones_are_told_so(local: Local) -> None:
    queue = await local.start_agent("felix_2", "queue")

    async def put() -> Any:
        return await local.call(queue, "inaetics.queue", "put", batch=BATCH)

    receipt = await wait_until(put, "the queue answers")
    assert receipt == await put()
    assert (receipt["accepted"], receipt["refused"], receipt["queue"].split(".")[0]) == (2, 0, "queue")
    ledger = await local.call(queue, "inaetics.queue", "ledger")
    assert (ledger["produced"], ledger["queued"]) == (2, 2)
    await local.call(queue, "inaetics.queue", "settle", batches=["by-hand:0"], store="store.1")
    assert (await local.call(queue, "inaetics.queue", "ledger"))["stored"] == {"store.1": 2}

    listing = await local.page(queue, "/services")
    number = next(s["id"] for s in listing["services"] if s["contract"] == "inaetics.queue")
    good = f"/{number}/inaetics.queue/put"
    for path, body, status in (
        (good, b"", 400),
        (good, b"{", 400),
        (good, b"[]", 400),
        (good, b'{"batch": 1}', 400),
        (good, json.dumps({"batch": BATCH | {"first": -1}}).encode(), 400),
        (good, json.dumps({"batch": BATCH, "more": 1}).encode(), 400),
        (good, b"[" * 2**19, 400),
        (good, b" " * 2**21, 413),
        (f"/{number}/inaetics.queue/_lend", b"{}", 404),
        (f"/{number}/inaetics.datastore/put", b"{}", 404),
        ("/999/inaetics.queue/put", b"{}", 404),
    ):
        async with local.session.post(local.url(queue, path), data=io.BytesIO(body)) as answer:
            assert answer.status == status, (path, body[:40], await answer.text())
    async with local.session.get(local.url(queue, good)) as answer:
        assert answer.status == 405
    ledger = await local.call(queue, "inaetics.queue", "ledger")
    assert ledger["produced"] == 2
    assert "Traceback" not in queue.log.read_text()


async def test_the_page_and_its_files_are_served_and_nothing_else(local: Local) -> None:
    viewer = await local.start_agent("felix_1", "viewer")

    async def page() -> Any:
        url = f"http://{viewer.address}:{local.pages_port}/"
        async with local.session.get(url, raise_for_status=True) as answer:
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
            return await answer.text()

    text = await wait_until(page, "the page is there")
    base = f"http://{viewer.address}:{local.pages_port}"
    files = [part.split('"')[0] for part in text.split('="/viewer/')[1:]]
    assert "overview.js" in files
    for name in files:
        async with local.session.get(f"{base}/viewer/{name}") as answer:
            assert answer.status == 200, name
    for method, path, status in (
        ("GET", "/viewer/../bundle.json", 404),
        ("GET", "/viewer/%2e%2e/page.py", 404),
        ("POST", "/", 405),
        ("POST", f"/services/{1}/inaetics.datastore/put", 404),
    ):
        async with local.session.request(method, base + path, data=b"x") as answer:
            assert answer.status == status, (method, path)
    async with local.session.get(f"{base}/viewer/events") as stream:
        assert await stream.content.readline() == b"event: history\n"
        await stream.content.readline()
        await stream.content.readline()
        assert await stream.content.readline() == b"event: log\n"
        await stream.content.readline()
        await stream.content.readline()
        assert await stream.content.readline() == b"event: overview\n"
        line = await stream.content.readline()
        assert "now" in json.loads(line.removeprefix(b"data: "))
    await local.stop_agent("viewer")
