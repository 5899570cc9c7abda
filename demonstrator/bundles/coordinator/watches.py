"""Watches of what the coordinator does not ask its components for: controllers, nodes and the agents' bundles."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from msgspec import Struct

from demonstrator.lib import codec
from demonstrator.lib.errors import REQUEST_ERRORS, format_error
from demonstrator.model.overview import Initiator, Node, Scale
from demonstrator.platform import KubernetesApi
from demonstrator.platform.manifest import BundleState

# The provisioning server has no watch.
_POLL_PERIOD = 5.0
_TIMEOUT = aiohttp.ClientTimeout(total=2.0)
# Through a service's address a kept connection leads to the same pod for ever, also to the wrong one.
_NO_KEEPALIVE = {"Connection": "close"}

_logger = logging.getLogger(__name__)

# The bundles that each pod's agent has reported, by the bundle's name.
PodBundles = Mapping[str, Mapping[str, BundleState]]


@dataclass(frozen=True, slots=True)
class ScaleRequest:
    """A number of pods that this coordinator has requested, for whom and why."""

    replicas: int
    by: Initiator
    why: str


class Cluster:
    """Follows the namespace's replication controllers and the cluster's nodes, and scales the controllers."""

    def __init__(self, api: KubernetesApi, namespace: str) -> None:
        self._api = api
        self._controllers = f"/api/v1/namespaces/{namespace}/replicationcontrollers"
        # By controller: the requested and ready pods, and the last request that this coordinator has made.
        self.scales: dict[str, Scale] = {}
        self.requests: dict[str, ScaleRequest] = {}
        # Empty until Kubernetes has answered.
        self.nodes: tuple[Node, ...] = ()

    async def follow_controllers(self) -> None:
        """Follow the controllers until cancelled."""
        async for objects in self._api.follow(self._controllers):
            self.scales = {
                name: Scale(data["spec"].get("replicas", 1), data.get("status", {}).get("readyReplicas", 0))
                for name, data in objects.items()
            }

    async def follow_nodes(self) -> None:
        """Follow the nodes until cancelled."""
        async for objects in self._api.follow("/api/v1/nodes"):
            self.nodes = tuple(Node(name, _is_ready(data)) for name, data in sorted(objects.items()))

    def scale(self, *names: str) -> Scale | None:
        """Return the sum over these controllers, or None while one of them is unknown."""
        if not self.scales.keys() >= set(names):
            return None
        scales = [self.scales[name] for name in names]
        return Scale(sum(scale.requested for scale in scales), sum(scale.actual for scale in scales))

    async def request(self, name: str, replicas: int, by: Initiator, why: str = "") -> None:
        """Request another number of pods, unless it is requested already; raises KubernetesError."""
        scale = self.scales.get(name)
        if scale and scale.requested == replicas:
            return
        # Before the watch can report the change: an event says whose it is.
        self.requests[name] = ScaleRequest(replicas, by, why)
        await self._api.patch(f"{self._controllers}/{name}/scale", {"spec": {"replicas": replicas}})
        if scale:
            # At once, before the watch reports the same: the next decision builds on it.
            self.scales[name] = Scale(replicas, scale.actual)


def _is_ready(node: Mapping[str, Any]) -> bool:
    conditions = node.get("status", {}).get("conditions", ())
    # A node that does not answer any more is "Unknown".
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


class BundleWatch:
    """Polls the provisioning server for the bundles that agents report; the last answer stays."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/agents"
        self.bundles: PodBundles = {}

    async def run(self) -> None:
        """Poll until cancelled; log an error when it first occurs."""
        failure = ""
        async with aiohttp.ClientSession(timeout=_TIMEOUT, headers=_NO_KEEPALIVE, raise_for_status=True) as session:
            while True:
                try:
                    async with session.get(self._url) as response:
                        self.bundles = parse_reports(await response.read())
                    failure = ""
                except REQUEST_ERRORS as error:
                    if failure != (failure := format_error(error)):
                        _logger.warning("the provisioning server does not list its agents: %s", failure)
                await asyncio.sleep(_POLL_PERIOD)


class _Report(Struct):
    # Not manifest.Report: what a newer agent's report has in addition is ignored.
    bundles: tuple[BundleState, ...]


class _Agent(Struct):
    report: _Report


def parse_reports(text: bytes) -> PodBundles:
    """Return the bundles in the provisioning server's list of agents; raises DecodeError where it is no such list."""
    agents = codec.decode(dict[str, _Agent], text, "agents")
    return {pod: {state.name: state for state in agent.report.bundles} for pod, agent in agents.items()}
