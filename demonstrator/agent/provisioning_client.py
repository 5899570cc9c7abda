"""The provisioning server's client: offers, archives and reports."""

from typing import Any

import aiohttp

from demonstrator.agent.archive import BundleError
from demonstrator.lib import codec
from demonstrator.platform import Identity
from demonstrator.platform.manifest import BundleState, Offer, Report

_ARCHIVE_LIMIT = 16 * 2**20
# Longer than the server holds a poll without a change.
_POLL = aiohttp.ClientTimeout(total=40, sock_connect=5)
# The address is a service's: a connection that is kept open stays with the pod that it once reached, even if the node's
# rules were outdated then and it is the wrong one.
_OPTIONS: dict[str, Any] = {"headers": {"Connection": "close"}, "raise_for_status": True}


class ProvisioningClient:
    """Requests of one agent; every method raises one of REQUEST_ERRORS when the server does not answer."""

    def __init__(self, session: aiohttp.ClientSession, url: str, identity: Identity) -> None:
        self._session = session
        self._url = url
        self._identity = identity

    async def offers(self, revision: str) -> tuple[str, tuple[Offer, ...] | None]:
        """Wait until the target has another revision, and return it with its bundles; None if it has not changed."""
        url = f"{self._url}/targets/{self._identity.target}"
        known = {"known": revision} if revision else {}
        async with self._session.get(url, params=known, timeout=_POLL, **_OPTIONS) as response:
            offered = response.headers.get("ETag", "").strip('"')
            if response.status == 304:
                return offered, None
            return offered, codec.decode(tuple[Offer, ...], await response.read(), "bundles")

    async def fetch(self, offer: Offer) -> bytes:
        """Return the archive that is offered; raises BundleError if it is too large."""
        content = bytearray()
        async with self._session.get(self._url + offer.path, **_OPTIONS) as response:
            async for chunk in response.content.iter_chunked(2**16):
                content += chunk
                if len(content) > _ARCHIVE_LIMIT:
                    raise BundleError(f"{offer.name} {offer.version} is larger than {_ARCHIVE_LIMIT} bytes")
        return bytes(content)

    async def report(self, bundles: tuple[BundleState, ...]) -> None:
        """Report the states of the agent's bundles."""
        report = Report(self._identity.target, self._identity.node, bundles)
        url = f"{self._url}/agents/{self._identity.pod}"
        async with self._session.put(url, data=codec.encode(report), **_OPTIONS):
            pass
