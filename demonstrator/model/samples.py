"""The data that flows: samples in batches, their results, and what is counted on the way."""

import re
import secrets
from typing import Literal

from msgspec import Struct

QUEUE_CAPACITY = 10_000
STORE_CAPACITY = 1_000_000
BATCH_LIMIT = 1_000
# Of a producer, in samples a second.
RATE_LIMIT = 1_000.0
# Of a processor: what it takes its time for.
SECONDS_PER_SAMPLE = 0.003
# Producers and data stores tell of so many queues, those that they met last.
MAX_REPORTED_QUEUES = 16

# How a producer spreads its batches over time.
ProducerMode = Literal["periodic", "burst"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def check_name(name: str) -> None:
    """Refuse what cannot be the name of a producer or a consumer."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name[:40]!r} is not a name of letters, digits, dots and dashes")


def new_id(pod: str) -> str:
    """A name for what begins now in this pod and ends with it: another one after each restart."""
    return f"{pod}.{secrets.token_hex(3)}"


def pod_of(identity: str) -> str:
    """The pod that a name from `new_id` belongs to."""
    return identity.rpartition(".")[0]


class Batch(Struct, frozen=True, forbid_unknown_fields=True):
    """Consecutive samples of one source.

    A source numbers its samples from 0 without gaps, so that source and first number name
    the batch wherever it turns up again.

    Attributes:
        source: the producer that made them; another one after each of its restarts.
        first: the number of the first sample.
        made_at: when the last sample was made, in seconds since the epoch.
        values: one number for each sample.
    """

    source: str
    first: int
    made_at: float
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        check_name(self.source)
        if self.first < 0:
            raise ValueError("first is negative")
        if not 1 <= len(self.values) <= BATCH_LIMIT:
            raise ValueError(f"{len(self.values)} samples, where a batch has 1 to {BATCH_LIMIT}")

    @property
    def id(self) -> str:
        """What names this batch everywhere and for ever."""
        return f"{self.source}:{self.first}"

    def __len__(self) -> int:
        return len(self.values)


class PutResult(Struct, frozen=True, forbid_unknown_fields=True):
    """A queue's answer to a batch: how many samples it took, how many it refused, and which queue it is."""

    accepted: int
    refused: int
    queue: str


class PutTotals(Struct, frozen=True, forbid_unknown_fields=True):
    """All answers that a producer had of the last MAX_REPORTED_QUEUES queues, added up by queue."""

    source: str
    by_queue: dict[str, PutResult]


class Delivery(Struct, frozen=True, forbid_unknown_fields=True):
    """What a queue lends, and which queue it is."""

    queue: str
    batches: tuple[Batch, ...]


class Result(Struct, frozen=True, forbid_unknown_fields=True):
    """A batch after processing: which queue lent it, who worked on it, and when."""

    batch: Batch
    queue: str
    processor: str
    finished_at: float

    def __post_init__(self) -> None:
        check_name(self.queue)
        check_name(self.processor)


class StoreResult(Struct, frozen=True, forbid_unknown_fields=True):
    """A data store's answer to a result: which store it is, and False when it had the result already."""

    store: str
    new: bool


class QueueLedger(Struct, frozen=True, forbid_unknown_fields=True):
    """What a queue has seen since it started, all read at one instant, counted in samples.

    Attributes:
        queue: which queue; another one after each of its restarts.
        capacity: how many samples it holds at most, waiting or in work.
        produced: offered to it by producers.
        stored: confirmed by a data store, by the store that confirmed it.
        queued: waiting.
        in_work: taken by a processor and not yet confirmed by the data store.
        refused: offered while it was full.
    """

    queue: str
    capacity: int
    produced: int
    stored: dict[str, int]
    queued: int
    in_work: int
    refused: int

    @property
    def balanced(self) -> bool:
        """Whether every sample is accounted for."""
        return self.produced == sum(self.stored.values()) + self.queued + self.in_work + self.refused


class StoreLedger(Struct, frozen=True, forbid_unknown_fields=True):
    """What a data store has received since it started, counted in samples.

    Attributes:
        store: which data store; another one after each of its restarts.
        capacity: how many samples it keeps at most.
        received: results that were new to it, by the queue that had lent them, of the last MAX_REPORTED_QUEUES queues.
    """

    store: str
    capacity: int
    received: dict[str, int]


class Metric(Struct, frozen=True, forbid_unknown_fields=True):
    """One figure: a counter only grows while its provider lives, a gauge goes up and down."""

    name: str
    kind: Literal["counter", "gauge"]
    unit: str
    value: float


class Statistics(Struct, frozen=True, forbid_unknown_fields=True):
    """The figures of one component, and the pod it runs in."""

    component: str
    pod: str
    figures: tuple[Metric, ...]
