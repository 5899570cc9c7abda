"""The services that an agent offers to the bundles that run in it, and those that it looks for in them."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from aiohttp import web

from demonstrator.lib.kubernetes import Kubernetes

_Class = TypeVar("_Class", bound=type)


def local_service(name: str) -> Callable[[_Class], _Class]:
    """Declare a class to be a service within one agent, which is never exported."""

    def declare(cls: _Class) -> _Class:
        # Where iPOPO looks for a specification's name: contracts need not import the framework.
        cls.__SPECIFICATION__ = [name]  # type: ignore[attr-defined]
        return cls

    return declare


@dataclass(frozen=True, slots=True)
class Identity:
    """The agent's target, and the pod and node it runs on."""

    target: str
    pod: str
    namespace: str
    node: str


@dataclass(frozen=True, slots=True)
class Container:
    """A container of a pod."""

    name: str
    # running, waiting or terminated; "" until its node has reported it.
    state: str
    # Of its waiting or its end, or else of its previous end.
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


@local_service("inaetics.agent.runtime")
class Runtime(Protocol):
    """The agent itself."""

    identity: Identity

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run a coroutine in the background; the agent becomes unhealthy and is restarted if an exception ends it."""


@local_service("inaetics.agent.pods")
class PodDirectory(Protocol):
    """The pods of the agent's namespace, kept up to date by a watch."""

    def pods(self) -> tuple[Pod, ...]:
        """Return the pods of the last answer, ordered by name."""


@local_service("inaetics.agent.kubernetes")
class KubernetesApi(Kubernetes):
    """The Kubernetes API, with the rights of the pod's service account."""


@local_service("inaetics.agent.pages")
class WebEndpoints(Protocol):
    """Provided by a bundle that answers HTTP requests at the agent's port for pages."""

    def routes(self) -> Iterable[web.RouteDef]:
        """Return paths without variables, each with its method and handler."""


@local_service("inaetics.agent.drainable")
class Drainable(Protocol):
    """Provided by a bundle with data that must be handed on before the bundle stops."""

    async def drain(self) -> None:
        """Accept nothing new, and return when nothing is left to hand on; the agent goes on serving meanwhile."""
        # The limit is the pod's grace period when the agent stops, and a minute of an update or a removal.
