"""The queue as a bundle: provides Queue and its metrics."""

import time

from pelix.framework import BundleContext
from pelix.ipopo.decorators import ComponentFactory, Instantiate, Validate

from demonstrator.bundles.queue.bounded_queue import BoundedQueue
from demonstrator.components import QueueService
from demonstrator.model import new_id


@ComponentFactory("inaetics.queue")
@Instantiate("queue")
class QueueComponent(QueueService):
    """The queue in plain Python."""

    @Validate
    def start(self, _context: BundleContext) -> None:
        """Start with an empty queue that has an id of its own."""
        self.set_engine(BoundedQueue(new_id(self._runtime.identity.pod), time.monotonic))
