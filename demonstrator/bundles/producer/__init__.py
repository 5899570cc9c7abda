"""The producer as a bundle: provides Producer and its metrics, requires a Queue."""

import asyncio

from pelix.framework import BundleContext
from pelix.ipopo.decorators import ComponentFactory, Instantiate, Invalidate, Provides, Requires, Validate

from demonstrator.bundles.producer.source import DEFAULT_RATE, SampleSource
from demonstrator.model import RATE_LIMIT, Metric, ProducerMode, PutTotals, Statistics, new_id
from demonstrator.platform import Runtime
from demonstrator.services import Producer, Queue, StatsProvider


@ComponentFactory("inaetics.producer")
@Provides([Producer, StatsProvider])
@Requires("_runtime", Runtime)
@Requires("_queue", Queue)
@Instantiate("producer")
class ProducerComponent:
    """Produces while there is a queue."""

    _runtime: Runtime
    _queue: Queue
    _task: asyncio.Task[None] | None = None

    def __init__(self) -> None:
        self._source: SampleSource | None = None
        self._rate = DEFAULT_RATE
        self._kind: ProducerMode = "periodic"

    @Validate
    def start(self, _context: BundleContext) -> None:
        """Produce into the queue that was found, with the numbers that follow."""
        if self._source is None:
            self._source = SampleSource(new_id(self._runtime.identity.pod), self._rate, self._kind)
        self._task = self._runtime.spawn(self._source.run(self._queue), "producer")

    @Invalidate
    def stop(self, _context: BundleContext) -> None:
        """Pause: the queue is gone."""
        if self._task:
            self._task.cancel()

    async def rate(self) -> float:
        """See Producer.rate."""
        return self._rate

    async def set_rate(self, rate: float) -> None:
        """See Producer.set_rate."""
        if not 0 <= rate <= RATE_LIMIT:
            raise ValueError(f"rate is {rate}, where 0 to {RATE_LIMIT:g} are allowed")
        self._rate = rate
        if self._source:
            self._source.pacer.set_rate(rate)

    async def kind(self) -> ProducerMode:
        """See Producer.kind."""
        return self._kind

    async def set_kind(self, kind: ProducerMode) -> None:
        """See Producer.set_kind."""
        self._kind = kind
        if self._source:
            self._source.pacer.kind = kind

    async def receipts(self) -> PutTotals:
        """See Producer.receipts."""
        return self._source.receipts() if self._source else PutTotals("", {})

    async def statistics(self) -> Statistics:
        """Return the rate, and the produced, accepted and refused samples."""
        source = self._source
        metrics = (
            (
                Metric("rate", "gauge", "samples/s", source.pacer.rate),
                Metric("produced", "counter", "samples", source.produced),
                Metric("accepted", "counter", "samples", source.accepted),
                Metric("refused", "counter", "samples", source.refused),
            )
            if source
            else ()
        )
        return Statistics("producer", self._runtime.identity.pod, metrics)
