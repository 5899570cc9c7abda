"""The processor as a native bundle: the same contracts as the processor in Python, its work done in C."""

from pelix.framework import BundleContext
from pelix.ipopo.decorators import ComponentFactory, Instantiate, Validate

from demonstrator.components.processor import ProcessorService
from demonstrator.lib.native import Library, load


@ComponentFactory("inaetics.processor.celix")
@Instantiate("processor")
class NativeProcessor(ProcessorService):
    """Calls the library; see processor.h."""

    library: Library | None = None

    @Validate
    def start(self, context: BundleContext) -> None:
        """See ProcessorService.start."""
        # Once: a component is started again after its last queue or its data store was gone.
        self.library = self.library or load(__name__, "processor.h")
        super().start(context)

    def work(self, values: tuple[float, ...]) -> tuple[float, ...]:
        """See ProcessorService.work."""
        assert self.library is not None
        results = self.library.ffi.new("double[]", len(values))
        self.library.functions.processor_work(values, results, len(values))
        return tuple(self.library.ffi.unpack(results, len(values)))
