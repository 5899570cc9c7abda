"""`python3 -m demonstrator.agent`: one agent, whose parts are started and stopped in order, until SIGTERM or Ctrl-C."""

import asyncio
import logging
import os
import signal
import socket
import sys

import aiohttp
from aiohttp import web
from pelix.framework import Framework, FrameworkFactory, create_framework

import demonstrator
from demonstrator.agent.bundles import Bundles
from demonstrator.agent.installer import Installer
from demonstrator.agent.pods import PodWatch
from demonstrator.agent.provisioning_client import ProvisioningClient
from demonstrator.agent.runtime import AgentRuntime, Health
from demonstrator.agent.settings import Settings, SettingsError
from demonstrator.agent.web_server import WebServer
from demonstrator.lib import log
from demonstrator.platform import KubernetesApi, PodDirectory, Runtime
from demonstrator.remote.exports import Exports
from demonstrator.remote.imports import Imports

_logger = logging.getLogger("demonstrator.agent")


async def _run(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    identity = settings.identity
    health = Health(settings.state / "health", loop)
    runtime = AgentRuntime(identity, health)
    framework = _start_framework()
    context = framework.get_bundle_context()
    exports = Exports(context, identity.pod)
    # Streams stay open for as long as both ends live: the connector sets no limit.
    connector = aiohttp.TCPConnector(limit=0, socket_factory=_socket)
    # For requests that set no timeout of their own.
    timeout = aiohttp.ClientTimeout(total=10)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        imports = Imports(context, session, runtime)
        kubernetes = KubernetesApi(settings.kubernetes_url, settings.service_account, session)
        pods = PodWatch(kubernetes, identity.namespace, imports.follow)
        bundles = Bundles(context, imports)
        client = ProvisioningClient(session, settings.provisioning_url, identity)
        installer = Installer(bundles, client, settings.state / "bundles")
        context.register_service(Runtime, runtime, {})
        context.register_service(PodDirectory, pods, {})
        context.register_service(KubernetesApi, kubernetes, {})
        pages = WebServer(context, exports, installer.ready)
        listeners = [
            await _listen(exports.make_app(), settings.listen, settings.services_port),
            await _listen(pages.make_app(), settings.listen, settings.pages_port),
        ]
        health.start()
        installing = runtime.spawn(installer.run(), "installer")
        runtime.spawn(pods.run(), "pods")
        _logger.info("%s on %s is %s", identity.pod, identity.node, identity.target)
        await stop.wait()
        _logger.info("stops")
        # An update that is offered from now on is not for this agent any more.
        installing.cancel()
        await asyncio.wait([installing])
        await bundles.drain(*bundles.archives)
        await health.stop()
        exports.withdraw()
        # Before the framework: it has no other agents' proxies when it stops.
        imports.follow(())
        await runtime.close()
        framework.stop()
        await asyncio.gather(*(listener.cleanup() for listener in listeners))
    FrameworkFactory.delete_framework(framework)


def _start_framework() -> Framework:
    """Start iPOPO, and keep `demonstrator` open for the bundles that archives add to it."""
    # The framework replaces the search path by a plain list, in which a namespace package finds no further parts.
    search_path = demonstrator.__path__
    framework = create_framework(("pelix.ipopo.core",), auto_start=True)
    demonstrator.__path__ = search_path
    return framework


def _socket(address: aiohttp.AddrInfoType) -> socket.socket:
    """Make a socket with keepalive probes every few seconds."""
    # A watch of the API server may be silent for a minute, but so is a host that has lost its power.
    family, kind, protocol, *_ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT):
        # Seconds until the first probe, seconds between probes, and number of probes: a peer is gone after 12 s.
        made.setsockopt(socket.IPPROTO_TCP, option, 3)
    return made


async def _listen(app: web.Application, address: str, port: int) -> web.AppRunner:
    # No waiting for readers at the end: streams do not end by themselves.
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, address, port).start()
    return runner


if __name__ == "__main__":
    log.set_up()
    try:
        asyncio.run(_run(Settings(os.environ)))
    except SettingsError as error:
        sys.exit(f"error: {error}")
