"""The provisioning server as an agent sees it: offers, archives and reports."""

import aiohttp

from demonstrator.agent import archive
from demonstrator.lib import codec
from demonstrator.platform.manifest import BundleState, Offer, Report
from demonstrator.platform.spi import Identity

NO_ANSWER = (aiohttp.ClientError, OSError, TimeoutError, codec.DecodeError)

# Longer than the server keeps a poll that it has no news for.
_POLL = aiohttp.ClientTimeout(total=40, sock_connect=5)

# Each request finds its way anew. The address is a service's: a connection that was kept leads for ever to whatever pod
# it once reached, also when that was another one, by a node's rules that were a moment old.
_ANEW = {"Connection": "close"}


class Server:
    """Asks and tells on behalf of one agent; raises one of NO_ANSWER when that does not work."""

    def __init__(self, session: aiohttp.ClientSession, url: str, identity: Identity) -> None:
        self._session = session
        self._url = url
        self._identity = identity

    async def offers(self, known: str) -> tuple[str, tuple[Offer, ...] | None]:
        """The target's revision and its bundles, as soon as the revision is not `known`.

        Without news the server answers after a while all the same: then there are no bundles in the answer.
        """
        url = f"{self._url}/targets/{self._identity.target}"
        parameters = {"known": known} if known else {}
        async with self._session.get(
            url, params=parameters, headers=_ANEW, timeout=_POLL, raise_for_status=True
        ) as response:
            revision = response.headers.get("ETag", "").strip('"')
            if response.status == 304:
                return revision, None
            return revision, codec.decode(tuple[Offer, ...], await response.read(), "bundles")

    async def fetch(self, offer: Offer) -> bytes:
        """The archive that is offered; raises BundleError unless it is just that."""
        async with self._session.get(self._url + offer.path, headers=_ANEW, raise_for_status=True) as response:
            content = bytearray()
            async for chunk in response.content.iter_chunked(2**16):
                content += chunk
                if len(content) > archive.ARCHIVE_LIMIT:
                    raise archive.BundleError(
                        f"{offer.name} {offer.version} is larger than {archive.ARCHIVE_LIMIT} bytes"
                    )
        archive.check(bytes(content), offer)
        return bytes(content)

    async def report(self, bundles: tuple[BundleState, ...]) -> None:
        """Tell what the agent runs."""
        report = Report(self._identity.target, self._identity.node, bundles)
        url = f"{self._url}/agents/{self._identity.pod}"
        async with self._session.put(url, data=codec.encode(report), headers=_ANEW, raise_for_status=True):
            pass
