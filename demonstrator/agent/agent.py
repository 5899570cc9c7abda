"""The agent as a whole: framework, ports, discovery and bundles, started and stopped in order."""

import asyncio
import logging
import socket
from collections.abc import Coroutine
from typing import Any

import aiohttp
from aiohttp import web
from pelix.framework import Framework, FrameworkFactory, create_framework

import demonstrator
from demonstrator.agent.bundles import Bundles
from demonstrator.agent.health import Health
from demonstrator.agent.installer import Installer
from demonstrator.agent.pages import WebServer
from demonstrator.agent.pods import PodWatch
from demonstrator.agent.provisioning_client import Server
from demonstrator.agent.settings import Settings
from demonstrator.lib.kubernetes import Kubernetes
from demonstrator.platform.spi import Identity, KubernetesApi, PodDirectory, Runtime
from demonstrator.remote import rpc_server as calls
from demonstrator.remote.exports import Exports
from demonstrator.remote.imports import Imports

_logger = logging.getLogger(__name__)

# For requests that set no time of their own.
_ANSWER_SECONDS = 10.0
# After so many seconds of silence a peer is asked, as often and as many times: it counts as gone after four times that.
_KEEPALIVE = 3


class AgentRuntime:
    """What bundles see of the agent."""

    def __init__(self, identity: Identity, health: Health) -> None:
        self._identity = identity
        self._health = health
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def identity(self) -> Identity:
        """Who this agent is."""
        return self._identity

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run something in the background until it is cancelled."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    async def close(self) -> None:
        """Cancel everything that was spawned."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            _logger.error("%s failed", task.get_name(), exc_info=error)
            self._health.fail(f"{task.get_name()} failed")


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Run an agent until `stop` is set."""
    identity = settings.identity
    health = Health(settings.state / "health", asyncio.get_running_loop())
    runtime = AgentRuntime(identity, health)
    framework = _start_framework()
    context = framework.get_bundle_context()
    exports = Exports(context, identity.pod)
    # Streams stay open for as long as both ends live: the connector sets no limit.
    connector = aiohttp.TCPConnector(limit=0, socket_factory=_socket)
    timeout = aiohttp.ClientTimeout(total=_ANSWER_SECONDS)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        imports = Imports(context, identity.pod, session)
        kubernetes = Kubernetes(settings.kubernetes_url, settings.service_account, session)
        pods = PodWatch(kubernetes, identity.namespace, lambda: imports.follow(pods.pods()))
        bundles = Bundles(context, imports)
        installer = Installer(
            bundles,
            Server(session, settings.provisioning_url, identity),
            settings.state / "bundles",
        )
        context.register_service(Runtime, runtime, {})
        context.register_service(PodDirectory, pods, {})
        context.register_service(KubernetesApi, kubernetes, {})
        pages = WebServer(context, exports, lambda: installer.ready)
        listeners = [
            await _listen(calls.make_app(exports), settings.listen, settings.services_port),
            await _listen(pages.make_app(), settings.listen, settings.pages_port),
        ]
        health.start()
        runtime.spawn(installer.run(), "installer")
        runtime.spawn(pods.run(), "pods")
        _logger.info("%s on %s is %s", identity.pod, identity.node, identity.target)
        await stop.wait()
        _logger.info("stops")
        await bundles.drain(*bundles.archives)
        health.stop()
        exports.withdraw()
        framework.stop()
        await imports.close()
        await runtime.close()
        await asyncio.gather(*(listener.cleanup() for listener in listeners))
    FrameworkFactory.delete_framework(framework)


def _start_framework() -> Framework:
    """Start iPOPO, and keep `demonstrator` open for the bundles that archives add to it.

    The framework replaces every package's search path by a plain list, which for a namespace
    package is the end of finding further parts of it.
    """
    search_path = demonstrator.__path__
    framework = create_framework(("pelix.ipopo.core",))
    framework.start()
    demonstrator.__path__ = search_path
    return framework


def _socket(address: aiohttp.AddrInfoType) -> socket.socket:
    """A socket that asks a silent peer every few seconds whether it is still there.

    A watch of the API server may have nothing to say for a minute; a host that lost its power says nothing for ever.
    """
    family, kind, protocol, *_ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT):
        made.setsockopt(socket.IPPROTO_TCP, option, _KEEPALIVE)
    return made


async def _listen(app: web.Application, address: str, port: int) -> web.AppRunner:
    # A stop waits for no reader: streams never end by themselves.
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, address, port).start()
    return runner
