"""The queue as a native bundle: the same contracts as the queue in Python, on an engine in C."""

import time

from pelix.framework import BundleContext
from pelix.ipopo.decorators import ComponentFactory, Instantiate, Validate

from demonstrator.components.queue import QueueService
from demonstrator.lib.native import load
from demonstrator.model.samples import new_id

from .engine import NativeQueue


@ComponentFactory("inaetics.queue.celix")
@Instantiate("queue")
class QueueComponent(QueueService):
    """The queue in C."""

    @Validate
    def start(self, context: BundleContext) -> None:
        """Begin empty, as a queue of its own."""
        library = load(__name__, "queue.h")
        self.begin(NativeQueue(library, new_id(self._runtime.identity.pod), time.monotonic))
