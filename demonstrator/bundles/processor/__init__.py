"""The processor as a bundle: provides its figures, requires a Queue and a DataStore."""

import asyncio

from pelix.framework import BundleContext
from pelix.ipopo.decorators import (
    ComponentFactory,
    Instantiate,
    Invalidate,
    Provides,
    Requires,
    Validate,
)

from demonstrator.bundles.processor.identity import IdentityProcessor
from demonstrator.bundles.processor.worker import Worker
from demonstrator.contracts.platform import Runtime
from demonstrator.contracts.samples import Statistic, Statistics, new_id
from demonstrator.contracts.services import DataStore, Queue, StatsProvider


@ComponentFactory("inaetics.processor.identity")
@Provides(StatsProvider)
@Requires("_runtime", Runtime)
@Requires("_queue", Queue)
@Requires("_store", DataStore)
@Instantiate("processor")
class ProcessorComponent:
    """Works while there are a queue and a data store."""

    _runtime: Runtime
    _queue: Queue
    _store: DataStore

    def __init__(self) -> None:
        self._worker: Worker | None = None
        self._task: asyncio.Task[None] | None = None

    @Validate
    def start(self, context: BundleContext) -> None:
        """Work between the queue and the data store that were found."""
        if self._worker is None:
            pod = self._runtime.identity.pod
            # A restarted container counts its takes from 0 again, under a name of its own.
            self._worker = Worker(new_id(pod), IdentityProcessor(pod))
        self._task = self._runtime.spawn(self._worker.run(self._queue, self._store), "processor")

    @Invalidate
    def stop(self, context: BundleContext) -> None:
        """Pause: the queue or the data store is gone."""
        if self._task:
            self._task.cancel()

    async def statistics(self) -> Statistics:
        """How many samples were processed."""
        processed = self._worker.processed if self._worker else 0
        return Statistics(
            "processor",
            self._runtime.identity.pod,
            (Statistic("processed", "counter", "samples", processed),),
        )
