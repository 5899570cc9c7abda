"""The queue as a bundle: provides Queue and its figures."""

import time

from pelix.framework import BundleContext
from pelix.ipopo.decorators import ComponentFactory, Instantiate, Validate

from demonstrator.bundles.queue.bounded import BoundedQueue
from demonstrator.components.queue import QueueService
from demonstrator.model.samples import new_id


@ComponentFactory("inaetics.queue")
@Instantiate("queue")
class QueueComponent(QueueService):
    """The queue in plain Python."""

    @Validate
    def start(self, context: BundleContext) -> None:
        """Begin empty, as a queue of its own."""
        self.begin(BoundedQueue(new_id(self._runtime.identity.pod), time.monotonic))
