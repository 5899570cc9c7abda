"""The data path's components as plain objects: a data store, and queue and processor of both kinds."""

from collections.abc import Callable

from demonstrator.bundles.datastore import MemoryStore
from demonstrator.bundles.processor import IdentityProcessor
from demonstrator.bundles.processor_celix import NativeProcessor
from demonstrator.bundles.queue import BoundedQueue
from demonstrator.bundles.queue_celix import NativeQueue
from demonstrator.components.processor import ProcessorService
from demonstrator.components.queue import QueueService
from demonstrator.lib.native import Library
from demonstrator.model import QUEUE_CAPACITY, STORE_CAPACITY

KINDS = ("python", "native")


def make_queue(
    kind: str, library: Library, clock: Callable[[], float], capacity: int = QUEUE_CAPACITY, name: str = "queue.1"
) -> QueueService:
    queue: QueueService = BoundedQueue() if kind == "python" else NativeQueue()
    queue.name, queue.clock, queue.capacity = name, clock, capacity
    if isinstance(queue, NativeQueue):
        queue.open(library)
    return queue


def make_processor(kind: str, library: Library) -> ProcessorService:
    processor: ProcessorService = IdentityProcessor() if kind == "python" else NativeProcessor()
    processor.name = "w"
    if isinstance(processor, NativeProcessor):
        processor.library = library
    return processor


def make_store(capacity: int = STORE_CAPACITY) -> MemoryStore:
    """Return a data store that holds so many samples."""
    store = MemoryStore(capacity)
    store.name = "store.1"
    return store
