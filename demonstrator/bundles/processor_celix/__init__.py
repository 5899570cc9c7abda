"""The processor as a native bundle: the same contracts as the processor in Python, its work done in C."""

from array import array

from pelix.ipopo.decorators import ComponentFactory, Instantiate

from demonstrator.components import IdentityProcessor, ProcessorService
from demonstrator.lib.native import Library, load
from demonstrator.services import Processor


class NativeWork:
    """Calls the library; see processor.h."""

    def __init__(self, library: Library) -> None:
        self._ffi, self._c = library.ffi, library.functions

    def __call__(self, values: tuple[float, ...]) -> tuple[float, ...]:
        """Return the results of these values."""
        given = self._ffi.from_buffer("double[]", array("d", values))
        results = self._ffi.new("double[]", len(values))
        self._c.processor_work(given, results, len(values))
        return tuple(self._ffi.unpack(results, len(values)))


@ComponentFactory("inaetics.processor.celix")
@Instantiate("processor")
class ProcessorComponent(ProcessorService):
    """The processor in C."""

    def make_processor(self, pod: str) -> Processor:
        """See ProcessorService.make_processor."""
        return IdentityProcessor(pod, work=NativeWork(load(__name__, "processor.h")))
