"""The producer as a bundle: provides Producer and its figures, requires a Queue."""

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

from demonstrator.bundles.producer.source import DEFAULT_RATE, SampleSource
from demonstrator.model.samples import RATE_LIMIT, Metric, ProducerMode, PutTotals, Statistics, new_id
from demonstrator.platform.spi import Runtime
from demonstrator.services.data_path import Producer, Queue, StatsProvider


@ComponentFactory("inaetics.producer")
@Provides([Producer, StatsProvider])
@Requires("_runtime", Runtime)
@Requires("_queue", Queue)
@Instantiate("producer")
class ProducerComponent:
    """Produces while there is a queue."""

    _runtime: Runtime
    _queue: Queue

    def __init__(self) -> None:
        self._producer: SampleSource | None = None
        self._rate = DEFAULT_RATE
        self._kind: ProducerMode = "periodic"
        self._task: asyncio.Task[None] | None = None

    @Validate
    def start(self, context: BundleContext) -> None:
        """Produce into the queue that was found, going on with the numbers of the last one."""
        if self._producer is None:
            self._producer = SampleSource(new_id(self._runtime.identity.pod), self._rate, self._kind)
        self._task = self._runtime.spawn(self._producer.run(self._queue), "producer")

    @Invalidate
    def stop(self, context: BundleContext) -> None:
        """Pause: the queue is gone."""
        if self._task:
            self._task.cancel()

    async def rate(self) -> float:
        """See Producer.rate."""
        return self._rate

    async def set_rate(self, rate: float) -> None:
        """See Producer.set_rate."""
        if not 0 <= rate <= RATE_LIMIT:
            raise ValueError(f"rate is {rate}, where 0 to {RATE_LIMIT:g} may be asked for")
        self._rate = rate
        if self._producer:
            self._producer.pacer.set_rate(rate)

    async def kind(self) -> ProducerMode:
        """See Producer.kind."""
        return self._kind

    async def set_kind(self, kind: ProducerMode) -> None:
        """See Producer.set_kind."""
        self._kind = kind
        if self._producer:
            self._producer.pacer.kind = kind

    async def receipts(self) -> PutTotals:
        """See Producer.receipts."""
        return self._producer.receipts() if self._producer else PutTotals("", {})

    async def statistics(self) -> Statistics:
        """What was produced and what became of it."""
        producer = self._producer
        figures = (
            (
                Metric("rate", "gauge", "samples/s", producer.pacer.rate),
                Metric("produced", "counter", "samples", producer.produced),
                Metric("accepted", "counter", "samples", producer.accepted),
                Metric("refused", "counter", "samples", producer.refused),
            )
            if producer
            else ()
        )
        return Statistics("producer", self._runtime.identity.pod, figures)
