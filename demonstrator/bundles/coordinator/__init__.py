"""The coordinator as a bundle: asks everybody, scales processors and producers, answers /coordinator/."""

import asyncio
import os
from collections.abc import Iterable, Sequence

from aiohttp import web
from pelix.framework import BundleContext
from pelix.ipopo.decorators import (
    ComponentFactory,
    Instantiate,
    Invalidate,
    Provides,
    Requires,
    Validate,
)

from demonstrator.bundles.coordinator.books import Books
from demonstrator.bundles.coordinator.bundles import Bundles
from demonstrator.bundles.coordinator.chronicle import Chronicle
from demonstrator.bundles.coordinator.conductor import Conductor
from demonstrator.bundles.coordinator.controllers import Controllers
from demonstrator.bundles.coordinator.events import Observation
from demonstrator.bundles.coordinator.gatherer import Gatherer
from demonstrator.bundles.coordinator.lease import Lease
from demonstrator.bundles.coordinator.nodes import Nodes
from demonstrator.bundles.coordinator.password import Password
from demonstrator.bundles.coordinator.rest import Rest
from demonstrator.bundles.coordinator.settings import Settings
from demonstrator.model import overview
from demonstrator.model.samples import Statistics
from demonstrator.platform.spi import Drainable, KubernetesApi, Pod, PodDirectory, Runtime, WebEndpoints
from demonstrator.services.data_path import DataStore, Producer, Queue, StatsProvider


@ComponentFactory("inaetics.coordinator")
@Provides([overview.Coordinator, WebEndpoints, Drainable])
@Requires("_runtime", Runtime)
@Requires("_directory", PodDirectory)
@Requires("_kubernetes", KubernetesApi)
@Requires("_queues", Queue, aggregate=True, optional=True)
@Requires("_stores", DataStore, aggregate=True, optional=True)
@Requires("_providers", StatsProvider, aggregate=True, optional=True)
@Requires("_producers", Producer, aggregate=True, optional=True)
@Instantiate("coordinator")
class CoordinatorComponent:
    """Gathers from whatever is there, which may be nothing yet, and steers it."""

    _runtime: Runtime
    _directory: PodDirectory
    _kubernetes: KubernetesApi
    _queues: list[Queue] | None
    _stores: list[DataStore] | None
    _providers: list[StatsProvider] | None
    _producers: list[Producer] | None
    _lease: Lease
    _gatherer: Gatherer
    _conductor: Conductor
    _controllers: Controllers
    _nodes: Nodes
    _bundles: Bundles
    _chronicle: Chronicle
    _password: Password
    _tasks: list[asyncio.Task[None]]

    @Validate
    def start(self, context: BundleContext) -> None:
        """Begin to gather and to steer."""
        identity, spawn = self._runtime.identity, self._runtime.spawn
        settings, books = Settings.read(os.environ), Books()
        self._lease = Lease(self._kubernetes, identity.namespace, identity.pod, books)
        self._password = Password(settings.password)
        self._controllers = Controllers(self._kubernetes, identity.namespace)
        self._nodes = Nodes(self._kubernetes)
        self._bundles = Bundles(settings.provisioning_url)
        self._conductor = Conductor(settings, self._lease, self._controllers, lambda: self.producers)
        self._gatherer = Gatherer(self, books)
        self._chronicle = Chronicle(self._observe)
        self._tasks = [
            spawn(self._gatherer.run(), "coordinator"),
            spawn(self._controllers.run(), "controllers"),
            spawn(self._nodes.run(), "nodes"),
            spawn(self._bundles.run(), "bundles"),
            spawn(self._lease.run(), "lease"),
            spawn(self._conductor.run(self._gatherer.next), "conductor"),
            spawn(self._chronicle.run(self._gatherer.next), "chronicle"),
        ]

    @Invalidate
    def stop(self, context: BundleContext) -> None:
        """Stop gathering and steering."""
        for task in self._tasks:
            task.cancel()

    async def drain(self) -> None:
        """See Drainable.drain: another coordinator may act at once."""
        await self._lease.release()

    @property
    def queues(self) -> Sequence[Queue]:
        """See Sources.queues."""
        return self._queues or ()

    @property
    def stores(self) -> Sequence[DataStore]:
        """See Sources.stores."""
        return self._stores or ()

    @property
    def producers(self) -> Sequence[Producer]:
        """See Sources.producers."""
        return tuple(self._producers or ())

    @property
    def providers(self) -> Sequence[StatsProvider]:
        """See Sources.providers."""
        return self._providers or ()

    @property
    def directory(self) -> PodDirectory:
        """See Sources.directory."""
        return self._directory

    def scaling(self) -> overview.Scaling:
        """See Sources.scaling."""
        return self._conductor.scaling()

    def pods(self) -> tuple[Pod, ...]:
        """See Known.pods."""
        return self._directory.pods()

    def nodes(self) -> tuple[overview.Node, ...]:
        """See Known.nodes."""
        return self._nodes.nodes()

    def figures(self) -> tuple[tuple[float, tuple[Statistics, ...]], ...]:
        """See Known.figures."""
        return self._chronicle.figures()

    def history(self) -> tuple[overview.Point, ...]:
        """See Coordinator.history."""
        return self._gatherer.history()

    def events(self, after: int) -> tuple[overview.Event, ...]:
        """See Coordinator.events."""
        return self._chronicle.events(after)

    async def next(self) -> overview.Overview:
        """See Coordinator.next."""
        return await self._gatherer.next()

    def routes(self) -> Iterable[web.RouteDef]:
        """See WebEndpoints.routes."""
        return Rest(self, self._conductor, self._password).routes()

    def _observe(self, seen: overview.Overview) -> Observation:
        return Observation(
            requested=self._controllers.requested(),
            asked=self._controllers.asked(),
            coordinator=seen.scaling.coordinator,
            preference=seen.scaling.preferred_utilisation,
            kind=seen.scaling.producer_kind,
            pods=seen.pods,
            nodes=seen.nodes,
            bundles=self._bundles.bundles(),
            lost=seen.accounting.lost if seen.accounting else None,
        )
