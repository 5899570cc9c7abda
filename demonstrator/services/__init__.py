"""The contracts of the data path, which bundles provide and require: producer, queue, processor and data store."""

from typing import Protocol

from demonstrator import model
from demonstrator.remote import contract, idempotent, wire_name


@contract("inaetics.producer", "1.2")
class Producer(Protocol):
    """Makes samples and puts them into the queue."""

    @idempotent
    async def rate(self) -> float:
        """Return the target rate, in samples per second."""

    @idempotent
    async def set_rate(self, rate: float) -> None:
        """Set the target rate, in samples per second from 0 to RATE_LIMIT; since 1.1."""

    @idempotent
    async def kind(self) -> model.ProducerMode:
        """Return how batches are spread over time; since 1.2."""

    @idempotent
    async def set_kind(self, kind: model.ProducerMode) -> None:
        """Make batches one by one, or ten at once and then a pause, at the same rate; since 1.2."""

    @idempotent
    async def receipts(self) -> model.PutTotals:
        """Return the sums of the queues' answers; since 1.2."""


@contract("inaetics.queue", "2.0")
class Queue(Protocol):
    """Holds a bounded number of samples between producers and processors.

    Every method may be repeated when its answer is lost: a batch has an id, and a take has a number.
    """

    @idempotent
    async def put(self, batch: model.Batch) -> model.PutResult:
        """Offer a batch, which is accepted or refused as a whole; only the last one of a source may be repeated."""

    @idempotent
    async def take(self, consumer: str, number: int, most: int, wait: float) -> model.Delivery:
        """Lease whole batches, which another consumer gets unless they are acknowledged within LEASE_SECONDS.

        Args:
            consumer: name of the consumer.
            number: of this take: a consumer counts up from 0, and the last number again returns the same batches again.
            most: limit of samples in total; a single batch may be larger.
            wait: seconds to wait for batches while there are none, at most 1.
        """

    @idempotent
    @wire_name("settle")
    async def ack(self, batches: tuple[str, ...], store: str) -> None:
        """Acknowledge that the results of the batches with these ids are in the data store with this one."""

    @idempotent
    async def ledger(self) -> model.QueueLedger:
        """Return the counters of all samples so far."""


@contract("inaetics.datastore", "2.0")
class DataStore(Protocol):
    """Holds the last results."""

    @idempotent
    async def put(self, result: model.Result) -> model.StoreResult:
        """Store a result, unless it is stored already."""

    @idempotent
    async def ledger(self) -> model.StoreLedger:
        """Return the counters of all results so far."""

    @idempotent
    async def latest(self, most: int) -> tuple[model.Result, ...]:
        """Return the newest results, at most `most`, newest first."""


@contract("inaetics.statistics", "1.0")
class StatsProvider(Protocol):
    """A component with metrics."""

    @idempotent
    async def statistics(self) -> model.Statistics:
        """Return the metrics, all read at one instant."""
