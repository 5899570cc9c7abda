"""Proxies for the services of other agents: they follow what is offered there and what is required here."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Protocol

import aiohttp
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from pelix.framework import BundleContext, FrameworkFactory, create_framework
from pelix.internals.events import ServiceEvent
from pelix.internals.registry import ServiceReference

from demonstrator.agent.runtime import AgentRuntime, Health
from demonstrator.lib import codec
from demonstrator.platform import Identity, Pod
from demonstrator.remote import contract
from demonstrator.remote.exports import IMPORTED, Exported, Listing
from demonstrator.remote.imports import Imports

NAME = "test.clock"
LISTING = codec.encode(Listing("other", (Exported(7, NAME, "1.1"),))) + b"\n"


def declare() -> None:
    """Declare the contract as the first version of a consumer does."""

    @contract(NAME, "1.0")
    class Clock(Protocol):
        async def hours(self) -> int: ...


def declare_next() -> None:
    """Declare it as the next version does: it has one more method."""

    @contract(NAME, "1.1")
    class Clock(Protocol):
        async def hours(self) -> int: ...

        async def minutes(self) -> int: ...


class Other:
    """Another agent as its port shows it: each reader of the listing gets the next of these lines."""

    def __init__(self) -> None:
        self.lines = [LISTING]

    def make_app(self) -> web.Application:
        app = web.Application()
        app.add_routes([web.get("/services", self._services), web.post("/services/7/test.clock/{method}", self._call)])
        return app

    async def _services(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        line = self.lines.pop(0)
        await response.write(line)
        if line == LISTING:
            await asyncio.Event().wait()
        return response

    async def _call(self, request: web.Request) -> web.Response:
        return web.json_response({"result": {"hours": 12, "minutes": 30}[request.match_info["method"]]})


class _Health(Health):
    def __init__(self) -> None:
        self.failed = asyncio.Event()

    def fail(self, reason: str) -> None:
        self.failed.set()


class Own:
    """This agent: its framework, its tasks and its imports."""

    def __init__(self, context: BundleContext, session: aiohttp.ClientSession) -> None:
        self.context = context
        self.health = _Health()
        self.runtime = AgentRuntime(Identity("felix_2", "own", "default", "node"), self.health)
        self.imports = Imports(context, session, self.runtime)
        self.registered = asyncio.Event()
        context.add_service_listener(self, f"({IMPORTED}=*)")

    def service_changed(self, event: ServiceEvent[Any]) -> None:
        if event.get_kind() == ServiceEvent.REGISTERED:
            self.registered.set()

    def follow(self, server: TestServer) -> None:
        pod = Pod("other", "Running", ready=True, node="node", address=server.host, services_port=server.port)
        self.imports.follow((pod,))

    @property
    def proxies(self) -> list[Any]:
        return [self.context.get_service(reference) for reference in self._references()]

    def _references(self) -> list[ServiceReference[Any]]:
        return self.context.get_all_service_references(None, f"({IMPORTED}=*)") or []


@pytest_asyncio.fixture
async def other() -> Other:
    return Other()


@pytest_asyncio.fixture
async def server(other: Other) -> AsyncIterator[TestServer]:
    server = TestServer(other.make_app())
    await server.start_server(shutdown_timeout=0.1)
    yield server
    await server.close()


@pytest_asyncio.fixture
async def own(server: TestServer) -> AsyncIterator[Own]:
    framework = create_framework(("pelix.ipopo.core",))
    framework.start()
    async with aiohttp.ClientSession() as session:
        own = Own(framework.get_bundle_context(), session)
        yield own
        own.imports.follow(())
        assert not own.proxies
        await own.runtime.close()
    framework.stop()
    FrameworkFactory.delete_framework(framework)


async def test_a_contract_that_gains_a_method_gets_a_proxy_that_has_it(own: Own, server: TestServer) -> None:
    declare()
    own.imports.require([NAME])
    own.follow(server)
    await own.registered.wait()
    (proxy,) = own.proxies
    assert await proxy.hours() == 12
    assert not hasattr(proxy, "minutes")
    declare_next()
    own.imports.require([NAME])
    (proxy,) = own.proxies
    assert await proxy.minutes() == 30


async def test_what_nothing_requires_any_more_is_not_imported(own: Own, server: TestServer) -> None:
    declare()
    own.imports.require([NAME])
    own.follow(server)
    await own.registered.wait()
    own.imports.require([])
    assert not own.proxies


async def test_an_agent_that_sends_nonsense_is_asked_again(own: Own, other: Other, server: TestServer) -> None:
    declare()
    other.lines = [b"x" * 2**21, b"[]\n", b"\xff\n", LISTING]
    own.imports.require([NAME])
    own.follow(server)
    await own.registered.wait()
    assert not own.health.failed.is_set()


async def test_a_follower_that_fails_makes_the_agent_unhealthy(own: Own, server: TestServer) -> None:
    declare()
    own.imports.require([NAME])

    def fail(*_arguments: object) -> None:
        raise ZeroDivisionError

    own.context.register_service = fail  # type: ignore[method-assign, assignment]
    own.follow(server)
    await own.health.failed.wait()
