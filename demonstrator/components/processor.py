"""A processor as others see it: works for every queue there is, one batch after the other."""

import asyncio
from typing import Any

from pelix.framework import BundleContext
from pelix.ipopo.decorators import BindField, Invalidate, Provides, Requires, UnbindField, Validate

from demonstrator.components.worker import Worker
from demonstrator.model.samples import Metric, Statistics, new_id
from demonstrator.platform.spi import Drainable, Runtime
from demonstrator.services.data_path import DataStore, Processor, Queue, StatsProvider


@Provides([StatsProvider, Drainable])
@Requires("_runtime", Runtime)
@Requires("_queues", Queue, aggregate=True)
@Requires("_store", DataStore)
class ProcessorService:
    """What the processors' components are made of: works while there are a queue and a data store.

    While one queue takes over from another there are two, and both are to be emptied.
    """

    _runtime: Runtime
    _queues: list[Queue]
    _store: DataStore

    def __init__(self) -> None:
        self._processor: Processor | None = None
        self._working: dict[int, tuple[Worker, asyncio.Task[None]]] = {}
        self._processed = 0

    def make(self, pod: str) -> Processor:
        """What does the work in this pod."""
        raise NotImplementedError

    @Validate
    def start(self, context: BundleContext) -> None:
        """Work between the queues and the data store that were found."""
        for queue in self._queues:
            self._begin(queue)

    @Invalidate
    def stop(self, context: BundleContext) -> None:
        """Pause: the last queue or the data store is gone."""
        for queue in list(self._working):
            self._end(queue)

    @BindField("_queues", if_valid=True)
    def arrived(self, field: str, queue: Queue, reference: Any) -> None:
        """Work for one more queue."""
        self._begin(queue)

    @UnbindField("_queues", if_valid=True)
    def left(self, field: str, queue: Queue, reference: Any) -> None:
        """Work for one queue less."""
        self._end(id(queue))

    async def drain(self) -> None:
        """See Drainable.drain: take nothing more, and deliver what is in hand."""
        working = tuple(self._working.values())
        for worker, _ in working:
            worker.finish()
        # A failure is told by the agent, which has spawned the task.
        await asyncio.gather(*(task for _, task in working), return_exceptions=True)

    async def statistics(self) -> Statistics:
        """How many samples were processed."""
        processed = self._processed + sum(worker.processed for worker, _ in self._working.values())
        return Statistics(
            "processor",
            self._runtime.identity.pod,
            (Metric("processed", "counter", "samples", processed),),
        )

    def _begin(self, queue: Queue) -> None:
        pod = self._runtime.identity.pod
        if self._processor is None:
            self._processor = self.make(pod)
        # It counts its takes from 0, so it needs a name of its own.
        worker = Worker(new_id(pod), self._processor)
        task = self._runtime.spawn(worker.run(queue, self._store), "processor")
        self._working[id(queue)] = worker, task

    def _end(self, queue: int) -> None:
        worker, task = self._working.pop(queue)
        task.cancel()
        self._processed += worker.processed
