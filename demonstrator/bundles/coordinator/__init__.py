"""The coordinator as a bundle: watches all components, scales processors and producers, serves /coordinator/."""

import asyncio
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace

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

from demonstrator.bundles.coordinator.accounting import SampleAccounting
from demonstrator.bundles.coordinator.collector import Collector
from demonstrator.bundles.coordinator.history import EventLog, History, Rates
from demonstrator.bundles.coordinator.leader_election import LeaderElection, SharedState
from demonstrator.bundles.coordinator.rest import Rest
from demonstrator.bundles.coordinator.scaling import ScalingController
from demonstrator.bundles.coordinator.settings import Settings
from demonstrator.bundles.coordinator.watches import BundleWatch, ControllerWatch, NodeWatch
from demonstrator.lib.feed import Feed
from demonstrator.model.overview import Coordinator, Event, Overview
from demonstrator.platform import Drainable, KubernetesApi, PodDirectory, Runtime, WebEndpoints
from demonstrator.services import DataStore, Producer, Queue, StatsProvider

_PERIOD = 1.0


@ComponentFactory("inaetics.coordinator")
@Provides([Coordinator, WebEndpoints, Drainable])
@Requires("_runtime", Runtime)
@Requires("_directory", PodDirectory)
@Requires("_kubernetes", KubernetesApi)
@Requires("_queues", Queue, aggregate=True, optional=True)
@Requires("_stores", DataStore, aggregate=True, optional=True)
@Requires("_providers", StatsProvider, aggregate=True, optional=True)
@Requires("_producers", Producer, aggregate=True, optional=True)
@Instantiate("coordinator")
class CoordinatorComponent:
    """Takes a snapshot of all components every second, acts on it, and publishes it."""

    _runtime: Runtime
    _directory: PodDirectory
    _kubernetes: KubernetesApi
    _queues: list[Queue] | None
    _stores: list[DataStore] | None
    _providers: list[StatsProvider] | None
    _producers: list[Producer] | None
    feed: Feed[Overview]
    history: Sequence[Overview]
    events: Sequence[Event]

    @Validate
    def start(self, _context: BundleContext) -> None:
        """Start the watches, the leader election and the snapshots."""
        identity, spawn = self._runtime.identity, self._runtime.spawn
        settings = Settings.read(os.environ)
        self.feed = Feed()
        self._controllers = ControllerWatch(self._kubernetes, identity.namespace)
        self._nodes, bundles = NodeWatch(self._kubernetes), BundleWatch(settings.provisioning_url)
        self._collector = Collector(self._directory, self._controllers, self._nodes, bundles)
        self._accounting, self._rates, self._history, self._log = SampleAccounting(), Rates(), History(), EventLog()
        self.history, self.events = self._history.overviews, self._log.events
        state = SharedState(self._accounting)
        self._election = LeaderElection(self._kubernetes, identity.namespace, identity.pod, state)
        self._scaling = ScalingController(settings, self._election, state, self._controllers)
        self._rest = Rest(settings, self.feed, self._history, self._log, self._scaling, self._directory, self._nodes)
        self._acting: asyncio.Task[None] | None = None
        self._tasks = [
            spawn(self._controllers.run(), "controllers"),
            spawn(self._nodes.run(), "nodes"),
            spawn(bundles.run(), "bundles"),
            spawn(self._election.run(), "leader election"),
            spawn(self._run(), "coordinator"),
        ]

    @Invalidate
    def stop(self, _context: BundleContext) -> None:
        """Stop, and end what waits for a next overview."""
        for task in (*self._tasks, *([self._acting] if self._acting else [])):
            task.cancel()
        self.feed.close()

    async def drain(self) -> None:
        """Let another coordinator become the leader at once."""
        await self._election.release()

    def routes(self) -> Iterable[web.RouteDef]:
        """Return the paths of the REST interface."""
        return self._rest.routes()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            started = loop.time()
            overview = await self._tick()
            # An API server that does not answer delays what is scaled, but not the pages.
            if not self._acting or self._acting.done():
                self._acting = self._runtime.spawn(self._scaling.act(overview, self._producers or ()), "scaling")
            await asyncio.sleep(max(0.0, started + _PERIOD - loop.time()))

    async def _tick(self) -> Overview:
        """Take a snapshot and publish what follows from it."""
        collected = await self._collector.collect(
            self._queues or (), self._stores or (), self._producers or (), self._providers or (), self._scaling.status
        )
        snapshot = replace(collected, accounting=self._accounting.update(collected.counters))
        overview = Overview(
            now=self._rates.update(snapshot),
            accounting=snapshot.accounting,
            statistics=snapshot.statistics,
            pods=snapshot.pods,
            nodes=snapshot.nodes,
            scaling=snapshot.scaling,
        )
        self._history.add(overview)
        self._log.update(snapshot)
        self.feed.publish(overview)
        return overview
