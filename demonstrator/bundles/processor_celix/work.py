"""The processor's work on samples, done in C."""

from array import array

from demonstrator.lib.native import Library


class NativeWork:
    """Calls the library; see processor.h."""

    def __init__(self, library: Library) -> None:
        self._ffi, self._c = library.ffi, library.functions

    def __call__(self, values: tuple[float, ...]) -> tuple[float, ...]:
        """The results of these values."""
        given = self._ffi.from_buffer("double[]", array("d", values))
        results = self._ffi.new("double[]", len(values))
        self._c.processor_work(given, results, len(values))
        return tuple(self._ffi.unpack(results, len(values)))
