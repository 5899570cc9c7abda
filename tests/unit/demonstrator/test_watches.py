"""The coordinator's view of the provisioning server, through whatever pod answers."""

import asyncio
import logging

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from demonstrator.bundles.coordinator import watches
from demonstrator.bundles.coordinator.watches import BundleWatch


async def test_each_poll_finds_its_own_way_and_an_error_is_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A connection through a service may have led to the wrong pod: the next request must be free to reach another."""
    monkeypatch.setattr(watches, "_POLL_PERIOD", 0.0)
    caplog.set_level(logging.WARNING)
    transports: list[object] = []
    polled = asyncio.Event()

    async def agents(request: web.Request) -> web.Response:
        transports.append(request.transport)
        if len(transports) < 4:
            raise web.HTTPNotFound
        if len(transports) > 4:
            polled.set()
        bundle = {"name": "queue", "version": "1.0.0", "state": "running"}
        return web.json_response(
            {"pod": {"report": {"target": "felix_2", "node": "n", "bundles": [bundle]}, "at": 1.0}}
        )

    app = web.Application()
    app.router.add_get("/agents", agents)
    async with TestServer(app) as server:
        watch = BundleWatch(str(server.make_url("")).rstrip("/"))
        task = asyncio.create_task(watch.run())
        await polled.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert watch.bundles["pod"]["queue"].version == "1.0.0"
    assert len(set(map(id, transports))) == len(transports)
    assert len(caplog.messages) == 1
    assert "404" in caplog.messages[0]
