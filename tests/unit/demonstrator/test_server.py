"""The client of the provisioning server."""

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from demonstrator.agent.provisioning_client import ProvisioningClient
from demonstrator.lib.errors import REQUEST_ERRORS
from demonstrator.platform import Identity


async def test_another_pod_that_answers_once_does_not_answer_for_ever() -> None:
    """A connection through a service may have led to the wrong pod: the next request goes the way of then."""
    connections: list[object] = []

    async def somebody_else(request: web.Request) -> web.Response:
        connections.append(request.transport)
        raise web.HTTPNotFound

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", somebody_else)
    async with TestServer(app) as other, aiohttp.ClientSession() as session:
        url = str(other.make_url("")).rstrip("/")
        client = ProvisioningClient(session, url, Identity("felix_2", "pod", "default", "node"))
        for _ in range(2):
            with pytest.raises(REQUEST_ERRORS):
                await client.offers("")
            with pytest.raises(REQUEST_ERRORS):
                await client.report(())
    assert len(set(map(id, connections))) == len(connections) == 4
