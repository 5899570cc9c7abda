"""The services of other agents: found by following every agent of the namespace."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import aiohttp
from pelix.framework import BundleContext
from pelix.internals.registry import ServiceRegistration

from demonstrator.lib import codec
from demonstrator.lib.errors import REQUEST_ERRORS, format_error
from demonstrator.platform import Pod
from demonstrator.remote import contracts
from demonstrator.remote.exports import IMPORTED, Exported, Listing
from demonstrator.remote.proxy import Endpoint, make_proxy
from demonstrator.remote.rpc_server import HEARTBEAT_SECONDS

_logger = logging.getLogger(__name__)

# Two heartbeats may be late before a silent agent counts as gone.
_SILENCE_SECONDS = 3 * HEARTBEAT_SECONDS
_TIMEOUT = aiohttp.ClientTimeout(sock_connect=_SILENCE_SECONDS, sock_read=_SILENCE_SECONDS)
_PAUSE = 0.5
_LINE_LIMIT = 2**20
# An agent that drains still exports what others need of it.
_PHASES = ("Running", "Terminating")

_Proxies = dict[tuple[Exported, type], ServiceRegistration[Any]]
_Spawn = Callable[[Coroutine[Any, Any, None], str], asyncio.Task[None]]


class Imports:
    """Registers a proxy for each required service of each agent, and removes it with its provider."""

    def __init__(self, context: BundleContext, own_pod: str, session: aiohttp.ClientSession, spawn: _Spawn) -> None:
        self._context = context
        self._own_pod = own_pod
        self._session = session
        self._spawn = spawn
        self._required: dict[str, type] = {}
        self._pods: tuple[Pod, ...] = ()
        self._providers: dict[tuple[str, str], tuple[_Provider, asyncio.Task[None]]] = {}

    def require(self, names: Iterable[str]) -> None:
        """Import these contracts and no others.

        Raises:
            LookupError: no bundle here has declared one of them.
        """
        required = {}
        for name in names:
            if not (cls := contracts.find(name)):
                raise LookupError(f"no contract is called {name}")
            required[name] = cls
        self._required = required
        for provider, _ in self._providers.values():
            provider.require(required)
        self.follow(self._pods)

    def follow(self, pods: tuple[Pod, ...]) -> None:
        """Follow the agents among these pods and no others, as long as anything is required."""
        self._pods = pods
        agents = {
            (pod.name, f"http://{pod.address}:{pod.services_port}")
            for pod in pods
            if pod.services_port and pod.address and pod.name != self._own_pod
            if pod.phase in _PHASES and self._required
        }
        for key in self._providers.keys() - agents:
            self._providers.pop(key)[1].cancel()
        for key in agents - self._providers.keys():
            provider = _Provider(self._context, self._session, *key, self._required)
            self._providers[key] = provider, self._spawn(provider.run(), f"follower of {key[0]}")


class _Provider:
    """Another agent, its last listing, and the proxies for its services that are required here."""

    def __init__(
        self, context: BundleContext, session: aiohttp.ClientSession, pod: str, url: str, required: dict[str, type]
    ) -> None:
        self._context = context
        self._session = session
        self._pod = pod
        self._url = url
        self._required = required
        self._offered: tuple[Exported, ...] = ()
        self._proxies: _Proxies = {}

    async def run(self) -> None:
        """Follow the agent until cancelled; it provides nothing while it does not answer."""
        try:
            while True:
                try:
                    await self._follow()
                    _logger.info("%s has stopped", self._pod)
                except REQUEST_ERRORS as error:
                    _logger.info("%s does not answer: %s", self._pod, format_error(error))
                self._offer(())
                await asyncio.sleep(_PAUSE)
        finally:
            self._offer(())

    def require(self, required: dict[str, type]) -> None:
        """Import these contracts: one whose class is another now needs another proxy."""
        self._required = required
        self._update()

    def _offer(self, services: tuple[Exported, ...]) -> None:
        self._offered = services
        self._update()

    def _update(self) -> None:
        """Register and unregister proxies, until there is one for each service that is offered and required."""
        matching = {(service, cls) for service in self._offered if (cls := self._find_class(service))}
        for key in self._proxies.keys() - matching:
            _logger.info("drops %s of %s", key[0].contract, self._pod)
            self._proxies.pop(key).unregister()
        for service, cls in matching - self._proxies.keys():
            endpoint = Endpoint(self._session, f"{self._url}/services/{service.id}/{service.contract}")
            _logger.info("imports %s of %s", service.contract, self._pod)
            self._proxies[service, cls] = self._context.register_service(
                cls, make_proxy(cls, endpoint), {IMPORTED: True, "inaetics.pod": self._pod}
            )

    async def _follow(self) -> None:
        async with self._session.get(
            f"{self._url}/services", timeout=_TIMEOUT, read_bufsize=_LINE_LIMIT, raise_for_status=True
        ) as response:
            async for line in response.content:
                if line != b"\n":
                    self._offer(codec.decode(Listing, line, "listing").services)

    def _find_class(self, service: Exported) -> type | None:
        cls = self._required.get(service.contract)
        return cls if cls and contracts.is_compatible(service.version, contracts.version_of(cls)) else None
