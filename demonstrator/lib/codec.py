"""Values to JSON and back, checked against types by msgspec and strict about what comes in.

A class that comes in is a `Struct` with `frozen=True, forbid_unknown_fields=True`: members that it does not have are
refused. `__post_init__` is where limits live; its ValueError becomes a DecodeError.
"""

from functools import lru_cache
from typing import Any, TypeVar

import msgspec

_T = TypeVar("_T")

# RecursionError: nested too deeply. ValueError: also bytes that are not UTF-8.
_FAILURES = (ValueError, RecursionError)
# Bounded: the classes of a bundle that is replaced are not held for ever.
_decoder = lru_cache(maxsize=256)(msgspec.json.Decoder)


class DecodeError(ValueError):
    """JSON that is malformed or not of the expected type; the message names the place."""


def encode(value: Any) -> bytes:
    """Return a value as JSON; a float that is not finite becomes null, which no receiver takes for a number."""
    return msgspec.json.encode(value)


def decode(kind: type[_T], data: bytes | str, place: str = "value") -> _T:
    """Return JSON as a value of type `kind`; raises DecodeError, which names `place`."""
    try:
        value: _T = _decoder(kind).decode(data)  # type: ignore[arg-type] # a type is hashable
    except _FAILURES as error:
        raise DecodeError(f"{place}: {error}") from error
    return value


def convert(kind: type[_T], value: Any, place: str = "value") -> _T:
    """Return plain data, of type `Any` to `decode`, as a value of type `kind`; raises DecodeError like `decode`."""
    try:
        return msgspec.convert(value, kind)
    except _FAILURES as error:
        raise DecodeError(f"{place}: {error}") from error
