"""The data of the data path: batches of samples, their results, and counters."""

import re
import secrets
from typing import Literal

from msgspec import Struct, field

QUEUE_CAPACITY = 10_000
STORE_CAPACITY = 1_000_000
BATCH_LIMIT = 1_000
# Of a producer, in samples per second.
RATE_LIMIT = 1_000.0
# Of a processor.
SECONDS_PER_SAMPLE = 0.003
# A processor that has not delivered by then loses its batches to another one.
LEASE_SECONDS = 5.0
# Producers and data stores report the last queues that they met, up to so many.
MAX_REPORTED_QUEUES = 16

# How a producer spreads its batches over time.
ProducerMode = Literal["periodic", "burst"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def check_name(name: str) -> None:
    """Raise ValueError unless this can be the name of a producer or a consumer."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name[:40]!r} is not a name of letters, digits, dots and dashes")


def new_id(pod: str) -> str:
    """Return an id for something in this pod: another one after each restart."""
    return f"{pod}.{secrets.token_hex(3)}"


def pod_of(identity: str) -> str:
    """Return the pod of an id from `new_id`."""
    return identity.rpartition(".")[0]


class Batch(Struct, frozen=True, forbid_unknown_fields=True):
    """Consecutive samples of one source, which numbers them from 0 without gaps."""

    source: str  # id of the producer; another one after each restart
    first: int  # the number of the first sample
    created_at: float = field(name="made_at")  # of the last sample, in seconds since the epoch
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        check_name(self.source)
        if self.first < 0:
            raise ValueError("first is negative")
        if not 1 <= len(self.values) <= BATCH_LIMIT:
            raise ValueError(f"{len(self.values)} samples, where a batch has 1 to {BATCH_LIMIT}")

    @property
    def id(self) -> str:
        """The id of this batch, which is never used again."""
        return f"{self.source}:{self.first}"

    def __len__(self) -> int:
        return len(self.values)


class PutResult(Struct, frozen=True, forbid_unknown_fields=True):
    """A queue's answer to a batch: numbers of samples accepted and refused, and the queue's id."""

    accepted: int
    refused: int
    queue: str


class PutTotals(Struct, frozen=True, forbid_unknown_fields=True):
    """Sums of the answers to a producer, by queue, of the last MAX_REPORTED_QUEUES queues."""

    source: str
    by_queue: dict[str, PutResult]


class Delivery(Struct, frozen=True, forbid_unknown_fields=True):
    """Batches leased to a consumer, and the id of the leasing queue."""

    queue: str
    batches: tuple[Batch, ...]


class Result(Struct, frozen=True, forbid_unknown_fields=True):
    """A processed batch, with the queue that leased it, the processor and the time."""

    batch: Batch
    queue: str
    processor: str
    processed_at: float = field(name="finished_at")

    def __post_init__(self) -> None:
        check_name(self.queue)
        check_name(self.processor)


class StoreResult(Struct, frozen=True, forbid_unknown_fields=True):
    """A data store's answer to a result: the store's id, and False if it has the result already."""

    store: str
    new: bool


class QueueLedger(Struct, frozen=True, forbid_unknown_fields=True):
    """Counters of a queue since it started, in samples, all read at one instant."""

    queue: str  # its id; another one after each restart
    capacity: int  # limit of samples that wait or are in work
    produced: int  # offered to it by producers
    stored: dict[str, int]  # acknowledged as stored, by data store
    queued: int  # waiting
    in_work: int  # taken by a processor and not yet confirmed by the data store
    refused: int  # offered while it was full


class StoreLedger(Struct, frozen=True, forbid_unknown_fields=True):
    """Counters of a data store since it started, in samples."""

    store: str  # its id; another one after each restart
    capacity: int  # limit of samples that it holds
    received: dict[str, int]  # new to it, by the queue that leased them, of the last MAX_REPORTED_QUEUES queues


class Metric(Struct, frozen=True, forbid_unknown_fields=True):
    """A value: a counter only grows while its provider runs, a gauge goes up and down."""

    name: str
    kind: Literal["counter", "gauge"]
    unit: str
    value: float


class Statistics(Struct, frozen=True, forbid_unknown_fields=True):
    """The metrics of one component, and its pod."""

    component: str
    pod: str
    metrics: tuple[Metric, ...] = field(name="figures")
