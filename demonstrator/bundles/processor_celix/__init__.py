"""The processor as a native bundle: the same contracts as the processor in Python, its work done in C."""

from pelix.ipopo.decorators import ComponentFactory, Instantiate

from demonstrator.contracts.native import load
from demonstrator.contracts.services import Processor

from .identity import IdentityProcessor
from .service import ProcessorService
from .work import NativeWork


@ComponentFactory("inaetics.processor.celix")
@Instantiate("processor")
class ProcessorComponent(ProcessorService):
    """The processor in C."""

    def make(self, pod: str) -> Processor:
        """See ProcessorService.make."""
        return IdentityProcessor(pod, work=NativeWork(load(__name__, "processor.h")))
