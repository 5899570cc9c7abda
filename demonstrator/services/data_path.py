"""The contracts of the demonstrator's own services."""

from typing import Protocol

from demonstrator.model.samples import (
    Batch,
    Delivery,
    ProducerMode,
    PutResult,
    PutTotals,
    QueueLedger,
    Result,
    Statistics,
    StoreLedger,
    StoreResult,
)
from demonstrator.remote import contract, idempotent


@contract("inaetics.producer", "1.2")
class Producer(Protocol):
    """Makes samples and hands them to the queue."""

    @idempotent
    async def rate(self) -> float:
        """How many samples a second it aims at."""

    @idempotent
    async def set_rate(self, rate: float) -> None:
        """Aim at this many samples a second from now on, from 0 to RATE_LIMIT; since 1.1."""

    @idempotent
    async def kind(self) -> ProducerMode:
        """How it spreads its batches over time; since 1.2."""

    @idempotent
    async def set_kind(self, kind: ProducerMode) -> None:
        """Make batches one by one, or ten at once and then a pause, at the same rate; since 1.2."""

    @idempotent
    async def receipts(self) -> PutTotals:
        """What the queues answered so far; since 1.2."""


@contract("inaetics.queue", "2.0")
class Queue(Protocol):
    """Keeps samples between producers and processors, bounded.

    Every method may be repeated: a batch is known by its id, a take by its number, so that an
    answer that was lost on its way is simply asked for again.
    """

    @idempotent
    async def put(self, batch: Batch) -> PutResult:
        """Offer a batch, which is taken or refused as a whole.

        A source offers its batches one after the other: only its last one may be repeated.
        """

    @idempotent
    async def take(self, consumer: str, number: int, most: int, wait: float) -> Delivery:
        """Borrow whole batches of at most `most` samples in all (or a single larger batch).

        Nothing there: wait up to `wait` seconds (at most 1) for some. A consumer counts its takes
        up from 0; asking for the last number again brings the same batches again. What is not
        settled in time is lent to somebody else.
        """

    @idempotent
    async def settle(self, batches: tuple[str, ...], store: str) -> None:
        """Say that the results of these batches are in this data store."""

    @idempotent
    async def ledger(self) -> QueueLedger:
        """What became of all samples so far."""


@contract("inaetics.processor", "2.0")
class Processor(Protocol):
    """Turns samples into results."""

    async def process(self, batch: Batch, queue: str) -> Result:
        """Work on a batch that this queue has lent."""


@contract("inaetics.datastore", "2.0")
class DataStore(Protocol):
    """Keeps the last results."""

    @idempotent
    async def put(self, result: Result) -> StoreResult:
        """Keep a result, which may be there already."""

    @idempotent
    async def ledger(self) -> StoreLedger:
        """What it has received so far."""

    @idempotent
    async def latest(self, most: int) -> tuple[Result, ...]:
        """The newest results, newest first."""


@contract("inaetics.statistics", "1.0")
class StatsProvider(Protocol):
    """Anything that has figures to show."""

    @idempotent
    async def statistics(self) -> Statistics:
        """The figures, all read at one instant."""
