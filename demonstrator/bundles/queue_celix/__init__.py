"""The queue as a native bundle: the same contracts as the queue in Python, with an engine in C."""

import time

from pelix.framework import BundleContext
from pelix.ipopo.decorators import ComponentFactory, Instantiate, Validate

from demonstrator.bundles.queue_celix.native_queue import NativeQueue
from demonstrator.components import QueueService
from demonstrator.lib.native import load
from demonstrator.model import new_id


@ComponentFactory("inaetics.queue.celix")
@Instantiate("queue")
class QueueComponent(QueueService):
    """The queue in C."""

    @Validate
    def start(self, _context: BundleContext) -> None:
        """Start with an empty queue that has an id of its own."""
        library = load(__name__, "queue.h")
        self.set_engine(NativeQueue(library, new_id(self._runtime.identity.pod), time.monotonic))
