"""The processor as a bundle: provides its figures, requires a Queue and a DataStore."""

from pelix.ipopo.decorators import ComponentFactory, Instantiate

from demonstrator.components.identity import IdentityProcessor
from demonstrator.components.processor import ProcessorService
from demonstrator.services.data_path import Processor


@ComponentFactory("inaetics.processor.identity")
@Instantiate("processor")
class ProcessorComponent(ProcessorService):
    """The processor in plain Python."""

    def make(self, pod: str) -> Processor:
        """See ProcessorService.make."""
        return IdentityProcessor(pod)
