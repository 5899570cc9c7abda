"""Which bundles the agents have reported to the provisioning server."""

import asyncio
from collections.abc import Mapping
from typing import Any

import aiohttp

from demonstrator.lib import codec
from demonstrator.platform.manifest import BundleState

# The provisioning server tells its state and no changes of it.
_INTERVAL = 5.0
_TIMEOUT = aiohttp.ClientTimeout(total=2.0)


class Bundles:
    """Asks the provisioning server now and then; while it is away the last answer stays."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._bundles: Mapping[str, Mapping[str, BundleState]] = {}

    def bundles(self) -> Mapping[str, Mapping[str, BundleState]]:
        """The bundles by pod and by name."""
        return self._bundles

    async def run(self) -> None:
        """Ask until cancelled."""
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
            while True:
                try:
                    async with session.get(f"{self._url}/agents", raise_for_status=True) as answer:
                        self._bundles = read(codec.loads(await answer.read()))
                except (aiohttp.ClientError, TimeoutError, OSError, codec.DecodeError):
                    pass
                await asyncio.sleep(_INTERVAL)


def read(agents: Any) -> Mapping[str, Mapping[str, BundleState]]:
    """The bundles in the provisioning server's answer; raises DecodeError when it is none."""
    try:
        reports = {pod: heard["report"]["bundles"] for pod, heard in agents.items()}
    except (AttributeError, KeyError, TypeError) as error:
        raise codec.DecodeError(f"agents: not reports: {error!r}") from error
    states = {pod: codec.convert(tuple[BundleState, ...], bundles, pod) for pod, bundles in reports.items()}
    return {pod: {state.name: state for state in told} for pod, told in states.items()}
