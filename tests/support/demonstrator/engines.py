"""Both kinds of queue and processor, for tests that are run over both."""

from collections.abc import Callable

from demonstrator.bundles.processor_celix import NativeWork
from demonstrator.bundles.queue.bounded_queue import BoundedQueue
from demonstrator.bundles.queue_celix.native_queue import NativeQueue
from demonstrator.components import Engine, IdentityProcessor, QueueService
from demonstrator.components.processor import identity
from demonstrator.lib.native import Library
from demonstrator.model import QUEUE_CAPACITY, SECONDS_PER_SAMPLE
from demonstrator.services import Processor

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
    queue.set_engine(make_engine(kind, library, clock, capacity, name))
    return queue


def make_processor(
    kind: str, library: Library, clock: Callable[[], float], seconds_per_sample: float = SECONDS_PER_SAMPLE
) -> Processor:
    work = identity if kind == "python" else NativeWork(library)
    return IdentityProcessor("w", clock, seconds_per_sample, work)
