"""The services of other agents: found by following every agent of the namespace."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

import aiohttp
from pelix.framework import BundleContext
from pelix.internals.registry import ServiceRegistration

from demonstrator.lib import codec
from demonstrator.platform.spi import Pod
from demonstrator.remote import contract
from demonstrator.remote.contract import format_error
from demonstrator.remote.exports import IMPORTED, Exported, Listing
from demonstrator.remote.proxy import Endpoint, make_proxy
from demonstrator.remote.rpc_server import HEARTBEAT_SECONDS

_logger = logging.getLogger(__name__)

# Two heartbeats may be late before a silent agent counts as gone.
_SILENCE_SECONDS = 3 * HEARTBEAT_SECONDS
_TIMEOUT = aiohttp.ClientTimeout(sock_connect=_SILENCE_SECONDS, sock_read=_SILENCE_SECONDS)
_PAUSE = 0.5
_LINE_LIMIT = 2**20
# An agent that is told to end may have something to hand out still: it says itself what it offers until then.
_PHASES = ("Running", "Terminating")


class Imports:
    """Registers a proxy for each wanted service of each agent, and removes it with its provider."""

    def __init__(self, context: BundleContext, own_pod: str, session: aiohttp.ClientSession) -> None:
        self._context = context
        self._own_pod = own_pod
        self._session = session
        self._wanted: dict[str, type] = {}
        self._pods: tuple[Pod, ...] = ()
        self._providers: dict[tuple[str, str], tuple[_Provider, asyncio.Task[None]]] = {}

    def want(self, names: Iterable[str]) -> None:
        """Import these contracts too; LookupError for one that nothing here has declared."""
        for name in names:
            cls = contract.find(name)
            if not cls:
                raise LookupError(f"no contract is called {name}")
            self._wanted[name] = cls
        for provider, _ in self._providers.values():
            provider.update()
        self.follow(self._pods)

    def follow(self, pods: tuple[Pod, ...]) -> None:
        """Follow the agents among these pods and no others, once anything is wanted."""
        self._pods = pods
        agents = {
            (pod.name, f"http://{pod.address}:{pod.services_port}")
            for pod in pods
            if pod.services_port and pod.address and pod.name != self._own_pod
            if pod.phase in _PHASES and self._wanted
        }
        for key in self._providers.keys() - agents:
            self._providers.pop(key)[1].cancel()
        for key in agents - self._providers.keys():
            provider = _Provider(self._context, self._session, *key, self._wanted)
            self._providers[key] = provider, asyncio.create_task(provider.run())

    async def close(self) -> None:
        """Follow nobody any more."""
        tasks = [task for _, task in self._providers.values()]
        self._providers.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Provider:
    """Another agent, its last listing, and the proxies for what is wanted of it."""

    def __init__(
        self,
        context: BundleContext,
        session: aiohttp.ClientSession,
        pod: str,
        url: str,
        wanted: dict[str, type],
    ) -> None:
        self._context = context
        self._session = session
        self._pod = pod
        self._url = url
        self._wanted = wanted
        self._offered: tuple[Exported, ...] = ()
        self._proxies: dict[Exported, ServiceRegistration[Any]] = {}

    async def run(self) -> None:
        """Follow the agent until cancelled; without an answer it provides nothing."""
        while True:
            try:
                await self._follow()
                _logger.info("%s has stopped", self._pod)
            except (aiohttp.ClientError, OSError, TimeoutError, codec.DecodeError) as error:
                _logger.info("%s does not answer: %s", self._pod, format_error(error))
            finally:
                self._offered = ()
                self.update()
            await asyncio.sleep(_PAUSE)

    def update(self) -> None:
        """Make the proxies those of the services that are both offered and wanted."""
        suiting = {service: cls for service in self._offered if (cls := self._suits(service))}
        for service in self._proxies.keys() - suiting.keys():
            _logger.info("drops %s of %s", service.contract, self._pod)
            self._proxies.pop(service).unregister()
        for service in suiting.keys() - self._proxies.keys():
            cls = suiting[service]
            endpoint = Endpoint(self._session, f"{self._url}/services/{service.id}/{service.contract}")
            _logger.info("imports %s of %s", service.contract, self._pod)
            self._proxies[service] = self._context.register_service(
                cls, make_proxy(cls, endpoint), {IMPORTED: True, "inaetics.pod": self._pod}
            )

    async def _follow(self) -> None:
        async with self._session.get(
            f"{self._url}/services",
            timeout=_TIMEOUT,
            read_bufsize=_LINE_LIMIT,
            raise_for_status=True,
        ) as response:
            async for line in response.content:
                if line != b"\n":
                    listing = codec.decode(Listing, line, "listing")
                    self._offered = listing.services
                    self.update()

    def _suits(self, service: Exported) -> type | None:
        cls = self._wanted.get(service.contract)
        if cls and contract.serves(service.version, contract.version_of(cls)):
            return cls
        return None
