"""The processor as a native bundle: the same contracts as the processor in Python, its work done in C."""

from pelix.ipopo.decorators import ComponentFactory, Instantiate

from demonstrator.components.identity import IdentityProcessor
from demonstrator.components.processor import ProcessorService
from demonstrator.lib.native import load
from demonstrator.services.data_path import Processor

from .work import NativeWork


@ComponentFactory("inaetics.processor.celix")
@Instantiate("processor")
class ProcessorComponent(ProcessorService):
    """The processor in C."""

    def make(self, pod: str) -> Processor:
        """See ProcessorService.make."""
        return IdentityProcessor(pod, work=NativeWork(load(__name__, "processor.h")))
