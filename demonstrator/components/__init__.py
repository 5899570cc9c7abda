"""Components that several bundles are made of: the queue service, the processor service and its worker."""

from demonstrator.components.processor import IdentityProcessor, ProcessorService
from demonstrator.components.queue import Engine, QueueService

__all__ = [
    "Engine",
    "IdentityProcessor",
    "ProcessorService",
    "QueueService",
]
