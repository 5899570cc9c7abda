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
from demonstrator.bundles.coordinator.conductor import Conductor
from demonstrator.bundles.coordinator.controllers import Controllers
from demonstrator.bundles.coordinator.gatherer import Gatherer
from demonstrator.bundles.coordinator.lease import Lease
from demonstrator.bundles.coordinator.rest import Rest
from demonstrator.bundles.coordinator.settings import Settings
from demonstrator.contracts import overview
from demonstrator.contracts.platform import KubernetesApi, Pages, PodDirectory, Runtime
from demonstrator.contracts.services import DataStore, Producer, Queue, StatsProvider


@ComponentFactory("inaetics.coordinator")
@Provides([overview.Coordinator, Pages])
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
    _gatherer: Gatherer
    _conductor: Conductor
    _tasks: list[asyncio.Task[None]]

    @Validate
    def start(self, context: BundleContext) -> None:
        """Begin to gather and to steer."""
        identity, spawn = self._runtime.identity, self._runtime.spawn
        books = Books()
        lease = Lease(self._kubernetes, identity.namespace, identity.pod, books)
        controllers = Controllers(self._kubernetes, identity.namespace)
        self._conductor = Conductor(Settings.read(os.environ), lease, controllers, lambda: self.producers)
        self._gatherer = Gatherer(self, books)
        self._tasks = [
            spawn(self._gatherer.run(), "coordinator"),
            spawn(controllers.run(), "controllers"),
            spawn(lease.run(), "lease"),
            spawn(self._conductor.run(self._gatherer.next), "conductor"),
        ]

    @Invalidate
    def stop(self, context: BundleContext) -> None:
        """Stop gathering and steering."""
        for task in self._tasks:
            task.cancel()

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

    def history(self) -> tuple[overview.Point, ...]:
        """See Coordinator.history."""
        return self._gatherer.history()

    async def next(self) -> overview.Overview:
        """See Coordinator.next."""
        return await self._gatherer.next()

    def routes(self) -> Iterable[web.RouteDef]:
        """See Pages.routes."""
        return Rest(self._gatherer, self._conductor, self._directory.pods).routes()
