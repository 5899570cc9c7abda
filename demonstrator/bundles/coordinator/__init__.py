"""The coordinator as a bundle: watches all components, scales processors and producers, serves /coordinator/."""

import asyncio
import os
import time
from collections.abc import Iterable, Sequence

from aiohttp import web
from pelix.framework import BundleContext
from pelix.ipopo.decorators import ComponentFactory, Instantiate, Invalidate, Provides, Requires, Validate

from demonstrator.bundles.coordinator.accounting import ObservedCounters, SampleAccounting
from demonstrator.bundles.coordinator.events import EventLog, Snapshot
from demonstrator.bundles.coordinator.history import History, Rates
from demonstrator.bundles.coordinator.leader_election import LeaderElection
from demonstrator.bundles.coordinator.rest import Rest
from demonstrator.bundles.coordinator.scaling import ScalingController, call_all
from demonstrator.bundles.coordinator.settings import Settings
from demonstrator.bundles.coordinator.watches import BundleWatch, Cluster
from demonstrator.lib.feed import Feed
from demonstrator.model.overview import Coordinator, Event, Overview
from demonstrator.platform import Drainable, KubernetesApi, PodDirectory, Runtime, WebEndpoints
from demonstrator.services import DataStore, Producer, Queue, StatsProvider

_PERIOD = 1.0
# A component that answers later is missing from one snapshot; the others are not held up.
_TIMEOUT = 0.8
# Phases of a pod whose memory is gone or about to go.
_ENDED = ("Terminating", "Succeeded", "Failed")


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
        identity, settings = self._runtime.identity, Settings.read(os.environ)
        self._cluster = Cluster(self._kubernetes, identity.namespace)
        self._bundles = BundleWatch(settings.provisioning_url)
        self._accounting, self._rates, self._history, self._log = SampleAccounting(), Rates(), History(), EventLog()
        self.feed, self.history, self.events = Feed(), self._history.overviews, self._log.events
        self._election = LeaderElection(self._kubernetes, identity, self._accounting)
        self._scaling = ScalingController(settings, self._election, self._cluster)
        self._rest = Rest(settings, self, self._scaling, self._directory, self._cluster)
        work = {
            "controllers": self._cluster.follow_controllers(),
            "nodes": self._cluster.follow_nodes(),
            "bundles": self._bundles.run(),
            "leader election": self._election.run(),
            "coordinator": self._run(),
            "scaling": self._scale(),
        }
        self._tasks = [self._runtime.spawn(coroutine, name) for name, coroutine in work.items()]

    @Invalidate
    def stop(self, _context: BundleContext) -> None:
        """Stop, and end what waits for a next overview."""
        for task in self._tasks:
            task.cancel()
        self.feed.close()

    async def drain(self) -> None:
        """Let another coordinator become the leader at once."""
        await self._election.release()

    def routes(self) -> Iterable[web.RouteDef]:
        """Return the paths of the REST interface."""
        return self._rest.routes()

    async def _run(self) -> None:
        while True:
            started = time.monotonic()
            await self._tick()
            await asyncio.sleep(started + _PERIOD - time.monotonic())

    async def _scale(self) -> None:
        """Act on the newest overview: an API server that does not answer delays this, but not the pages."""
        while True:
            await self._scaling.act(await self.feed.next(), self._producers or ())

    async def _tick(self) -> None:
        """Ask all components at once, and publish what follows from the answers that come in time."""
        queues, stores, receipts, statistics = await asyncio.gather(
            call_all([queue.ledger() for queue in self._queues or ()], _TIMEOUT),
            call_all([store.ledger() for store in self._stores or ()], _TIMEOUT),
            call_all([producer.receipts() for producer in self._producers or ()], _TIMEOUT),
            call_all([provider.statistics() for provider in self._providers or ()], _TIMEOUT),
        )
        pods = self._directory.pods()
        living = {pod.name for pod in pods if pod.phase not in _ENDED}
        overview = Overview(
            now=self._rates.update(queues, time.time(), time.monotonic()),
            accounting=self._accounting.update(ObservedCounters(queues, stores, receipts, living)),
            statistics=tuple(sorted(statistics, key=lambda item: (item.component, item.pod))),
            pods=pods,
            nodes=self._cluster.nodes,
            scaling=self._scaling.status(),
        )
        replicas = {name: scale.requested for name, scale in self._cluster.scales.items()}
        self._history.add(overview)
        self._log.update(Snapshot(overview, replicas, self._cluster.requests, self._bundles.bundles))
        self.feed.publish(overview)
