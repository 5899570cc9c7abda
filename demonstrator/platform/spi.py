"""What an agent offers the bundles that run in it."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from aiohttp import web

from demonstrator.remote.contract import local


@dataclass(frozen=True, slots=True)
class Identity:
    """Who an agent is: its target, and the pod and node it runs on."""

    target: str
    pod: str
    namespace: str
    node: str


@dataclass(frozen=True, slots=True)
class Container:
    """A container of a pod.

    Attributes:
        name: its name in the pod.
        state: running, waiting or terminated; "" while its node has not told.
        reason: why it waits or has ended, or else what ended it the last time.
        restarts: how often it was started again.
    """

    name: str
    state: str
    reason: str
    restarts: int


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod of the namespace, as the Kubernetes API describes it."""

    name: str
    phase: str
    ready: bool
    node: str
    address: str
    services_port: int | None
    containers: tuple[Container, ...] = ()


@local("inaetics.agent.runtime")
class Runtime(Protocol):
    """The agent itself."""

    @property
    def identity(self) -> Identity:
        """Who this agent is."""

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run something in the background until it is cancelled.

        When it ends with an exception the agent counts as unhealthy and is restarted.
        """


@local("inaetics.agent.pods")
class PodDirectory(Protocol):
    """The pods of the agent's namespace, kept up to date by a watch."""

    def pods(self) -> tuple[Pod, ...]:
        """All pods that are known now, by name."""


class KubernetesError(Exception):
    """The API server refused a request, ended a watch, or did not answer (status 0)."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


@local("inaetics.agent.kubernetes")
class KubernetesApi(Protocol):
    """The Kubernetes API, with the rights of the pod's service account."""

    async def read(self, path: str) -> dict[str, Any]:
        """Get an object or a list; raises KubernetesError."""

    async def patch(self, path: str, change: Mapping[str, Any]) -> dict[str, Any]:
        """Merge a change into an object; raises KubernetesError.

        With a resourceVersion in the change it is made only to that version: else status 409.
        """

    def follow(self, path: str) -> AsyncIterator[dict[str, dict[str, Any]]]:
        """All objects of a collection by name, now and after each change, until cancelled."""


@local("inaetics.agent.pages")
class WebEndpoints(Protocol):
    """Provided by a bundle that wants to answer HTTP requests at the agent's own port."""

    def routes(self) -> Iterable[web.RouteDef]:
        """Paths without variables, each with its method and handler."""


@local("inaetics.agent.drainable")
class Drainable(Protocol):
    """Provided by a bundle that holds what should not go with it."""

    async def drain(self) -> None:
        """The bundle is about to be stopped: take nothing new, and return when there is nothing left to wait for.

        The agent goes on serving meanwhile. What limits it is the pod's grace period when the agent is
        told to end, and a minute when the bundle is updated or removed.
        """
