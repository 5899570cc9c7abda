"""The processor as a bundle: provides its metrics, requires a Queue and a DataStore."""

from pelix.ipopo.decorators import ComponentFactory, Instantiate

from demonstrator.components import IdentityProcessor, ProcessorService
from demonstrator.services import Processor


@ComponentFactory("inaetics.processor.identity")
@Instantiate("processor")
class ProcessorComponent(ProcessorService):
    """The processor in plain Python."""

    def make_processor(self, pod: str) -> Processor:
        """See ProcessorService.make_processor."""
        return IdentityProcessor(pod)
