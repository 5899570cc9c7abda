"""Native bundles: a shared library in the archive, and the header that declares its functions."""

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

# Only agents that run native bundles have it.
from cffi import FFI  # type: ignore[import-untyped]

LIBRARY = "native.so"


@dataclass(frozen=True, slots=True)
class Library:
    """A loaded library: cffi's access to its data, and its functions."""

    ffi: Any
    functions: Any


def load(package: str, header: str) -> Library:
    """Load the library of a bundle's package, with the functions that the header file beside it declares."""
    files = resources.files(package)
    # The dynamic linker loads only files: one from an archive exists for that moment, and only this user can read it.
    with resources.as_file(files / LIBRARY) as path:
        return open_library((files / header).read_text(encoding="utf-8"), path)


def open_library(header: str, path: Path) -> Library:
    """Load a library with the functions of this header: plain declarations, without directives but #define."""
    ffi = FFI()
    ffi.cdef(header)
    return Library(ffi, ffi.dlopen(str(path)))
