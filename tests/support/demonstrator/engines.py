"""Both kinds of queue and processor, for tests that are run over both."""

from collections.abc import Callable

from demonstrator.bundles.processor_celix.work import NativeWork
from demonstrator.bundles.queue.bounded import BoundedQueue
from demonstrator.bundles.queue_celix.engine import NativeQueue
from demonstrator.components.identity import IdentityProcessor, unchanged
from demonstrator.components.queue import Engine, QueueService
from demonstrator.lib.native import Library
from demonstrator.model.samples import QUEUE_CAPACITY, SECONDS_PER_SAMPLE
from demonstrator.services.data_path import Processor

KINDS = ("python", "native")


def make_engine(
    kind: str, library: Library, clock: Callable[[], float], capacity: int = QUEUE_CAPACITY, name: str = "queue.1"
) -> Engine:
    if kind == "python":
        return BoundedQueue(name, clock, capacity, lease_seconds=5.0)
    return NativeQueue(library, name, clock, capacity, lease_seconds=5.0)


def make_queue(
    kind: str, library: Library, clock: Callable[[], float], capacity: int = QUEUE_CAPACITY, name: str = "queue.1"
) -> QueueService:
    queue = QueueService(clock)
    queue.begin(make_engine(kind, library, clock, capacity, name))
    return queue


def make_processor(
    kind: str, library: Library, clock: Callable[[], float], seconds_per_sample: float = SECONDS_PER_SAMPLE
) -> Processor:
    work = unchanged if kind == "python" else NativeWork(library)
    return IdentityProcessor("w", clock, seconds_per_sample, work)
