"""The processor as a component: works for every queue there is, one batch after the other."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from pelix.framework import BundleContext
from pelix.ipopo.decorators import BindField, Invalidate, Provides, Requires, UnbindField, Validate

from demonstrator.components.worker import Worker
from demonstrator.model import SECONDS_PER_SAMPLE, Batch, Metric, Result, Statistics, new_id
from demonstrator.platform import Drainable, Runtime
from demonstrator.services import DataStore, Processor, Queue, StatsProvider

Values = tuple[float, ...]

# A batch that comes within this time of its predecessor's end was there before: late timers are made up for.
_SLACK = 0.05


def identity(values: Values) -> Values:
    """Return the values unchanged."""
    return values


class IdentityProcessor:
    """Takes a time for each sample that is waited for, not computed, and returns the sample.

    It processes one batch after the other, also for several workers.
    """

    def __init__(
        self,
        name: str,
        clock: Callable[[], float] = time.monotonic,
        seconds_per_sample: float = SECONDS_PER_SAMPLE,
        work: Callable[[Values], Values] = identity,
    ) -> None:
        self._name = name
        self._clock = clock
        self._seconds_per_sample = seconds_per_sample
        self._work = work
        self._done_at = -_SLACK

    async def process(self, batch: Batch, queue: str) -> Result:
        """See Processor.process."""
        now = self._clock()
        began = self._done_at if now - self._done_at < _SLACK else now
        self._done_at = began + self._seconds_per_sample * len(batch)
        await asyncio.sleep(self._done_at - self._clock())
        processed = Batch(batch.source, batch.first, batch.created_at, self._work(batch.values))
        return Result(processed, queue, self._name, time.time())


@Provides([StatsProvider, Drainable])
@Requires("_runtime", Runtime)
@Requires("_queues", Queue, aggregate=True)
@Requires("_store", DataStore)
class ProcessorService:
    """The base of the processors' components: works while there are a queue and a data store.

    There are two queues while one replaces the other, and both are to be emptied.
    """

    _runtime: Runtime
    _queues: list[Queue]
    _store: DataStore

    def __init__(self) -> None:
        self._processor: Processor | None = None
        self._workers: dict[int, tuple[Worker, asyncio.Task[None]]] = {}
        self._processed = 0

    def make_processor(self, pod: str) -> Processor:
        """Make the processor that works in this pod."""
        raise NotImplementedError

    @Validate
    def start(self, _context: BundleContext) -> None:
        """Start a worker for each queue."""
        for queue in self._queues:
            self._start_worker(queue)

    @Invalidate
    def stop(self, _context: BundleContext) -> None:
        """Stop the workers: the last queue or the data store is gone."""
        for queue in list(self._workers):
            self._stop_worker(queue)

    @BindField("_queues", if_valid=True)
    def queue_added(self, _field: str, queue: Queue, _reference: Any) -> None:
        """Start a worker for one more queue."""
        self._start_worker(queue)

    @UnbindField("_queues", if_valid=True)
    def queue_removed(self, _field: str, queue: Queue, _reference: Any) -> None:
        """Stop the worker of a queue that is gone."""
        self._stop_worker(id(queue))

    async def drain(self) -> None:
        """See Drainable.drain: take nothing more, and deliver what is pending."""
        workers = tuple(self._workers.values())
        for worker, _ in workers:
            worker.finish()
        # The runtime reports a task that fails.
        await asyncio.gather(*(task for _, task in workers), return_exceptions=True)

    async def statistics(self) -> Statistics:
        """Return the number of processed samples."""
        processed = self._processed + sum(worker.processed for worker, _ in self._workers.values())
        metrics = (Metric("processed", "counter", "samples", processed),)
        return Statistics("processor", self._runtime.identity.pod, metrics)

    def _start_worker(self, queue: Queue) -> None:
        pod = self._runtime.identity.pod
        if self._processor is None:
            self._processor = self.make_processor(pod)
        # A name of its own, since it counts its takes from 0.
        worker = Worker(new_id(pod), self._processor)
        task = self._runtime.spawn(worker.run(queue, self._store), "processor")
        self._workers[id(queue)] = worker, task

    def _stop_worker(self, queue: int) -> None:
        worker, task = self._workers.pop(queue)
        task.cancel()
        self._processed += worker.processed
