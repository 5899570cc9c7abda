"""The services of other agents: found by following every agent of the namespace."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

import aiohttp
from pelix.framework import BundleContext
from pelix.internals.registry import ServiceRegistration

from demonstrator.lib import codec
from demonstrator.lib.errors import REQUEST_ERRORS, format_error
from demonstrator.platform import Pod, Runtime
from demonstrator.remote import contracts
from demonstrator.remote.exports import HEARTBEAT_SECONDS, IMPORTED, Exported, Listing
from demonstrator.remote.proxy import make_proxy

_logger = logging.getLogger(__name__)

# Two heartbeats may be late before a silent agent counts as gone.
_TIMEOUT = aiohttp.ClientTimeout(sock_connect=3 * HEARTBEAT_SECONDS, sock_read=3 * HEARTBEAT_SECONDS)

# The pod and URL of another agent.
_Agent = tuple[str, str]
_Proxies = dict[tuple[_Agent, Exported, type], ServiceRegistration[Any]]


class Imports:
    """Registers a proxy for each required service of each agent, and removes it with its provider."""

    def __init__(self, context: BundleContext, session: aiohttp.ClientSession, runtime: Runtime) -> None:
        self._context = context
        self._session = session
        self._runtime = runtime
        self._required: dict[str, type] = {}
        self._pods: tuple[Pod, ...] = ()
        self._followers: dict[_Agent, asyncio.Task[None]] = {}
        self._offered: dict[_Agent, tuple[Exported, ...]] = {}
        self._proxies: _Proxies = {}

    def require(self, names: Iterable[str]) -> None:
        """Import these contracts and no others; raises LookupError if no bundle here has declared one of them."""
        self._required = {name: contracts.find(name) for name in names}
        self.follow(self._pods)

    def follow(self, pods: tuple[Pod, ...]) -> None:
        """Follow the agents among these pods and no others, as long as anything is required."""
        self._pods = pods
        agents = {
            (pod.name, f"http://{pod.address}:{pod.services_port}")
            for pod in pods
            if pod.services_port and pod.address and pod.name != self._runtime.identity.pod
            # An agent that drains still exports what others need of it.
            if pod.phase in ("Running", "Terminating") and self._required
        }
        for agent in self._followers.keys() - agents:
            self._followers.pop(agent).cancel()
            self._offered.pop(agent, None)
        for agent in agents - self._followers.keys():
            self._followers[agent] = self._runtime.spawn(self._follow(agent), f"follower of {agent[0]}")
        self._update()

    async def _follow(self, agent: _Agent) -> None:
        """Follow an agent until cancelled; it provides nothing while it does not answer."""
        pod, url = agent
        while True:
            try:
                async with self._session.get(
                    f"{url}/services", timeout=_TIMEOUT, read_bufsize=2**20, raise_for_status=True
                ) as response:
                    async for line in response.content:
                        if line != b"\n":
                            self._offered[agent] = codec.decode(Listing, line, "listing").services
                            self._update()
                _logger.info("%s has stopped", pod)
            except REQUEST_ERRORS as error:
                _logger.info("%s does not answer: %s", pod, format_error(error))
            self._offered.pop(agent, None)
            self._update()
            await asyncio.sleep(0.5)

    def _update(self) -> None:
        """Register and unregister proxies, until there is one for each service that is offered and required."""
        matching = {
            (agent, service, cls)
            for agent, services in self._offered.items()
            for service in services
            if (cls := self._required.get(service.contract))
            and contracts.is_compatible(service.version, contracts.version_of(service.contract))
        }
        for key in self._proxies.keys() - matching:
            (pod, _), service, _ = key
            _logger.info("drops %s of %s", service.contract, pod)
            self._proxies.pop(key).unregister()
        for key in matching - self._proxies.keys():
            (pod, url), service, cls = key
            _logger.info("imports %s of %s", service.contract, pod)
            proxy = make_proxy(cls, self._session, f"{url}/services/{service.id}/{service.contract}")
            self._proxies[key] = self._context.register_service(cls, proxy, {IMPORTED: True, "inaetics.pod": pod})
