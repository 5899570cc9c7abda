"""Values to JSON and back, guided by type hints and strict about what comes in.

Carries None, booleans, integers, floats, strings, literals, `tuple[T, ...]`, `dict[str, T]`,
`T | None` and frozen dataclasses of these: all that a contract may use. `__post_init__` of a
dataclass is where limits live; its ValueError is reported as a DecodeError with the place.
"""

import json
import math
import types
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, Literal, get_args, get_origin, get_type_hints


class DecodeError(ValueError):
    """What came in is not what the contract says; the message names the place."""


def dumps(value: Any) -> bytes:
    """A value as JSON."""
    return json.dumps(encode(value), separators=(",", ":"), allow_nan=False).encode()


def loads(text: bytes | str) -> Any:
    """JSON as plain dictionaries, lists, strings and numbers."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DecodeError(f"not JSON: {error}") from error


def encode(value: Any) -> Any:
    """A value as something that `json` can write."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: encode(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    if isinstance(value, dict):
        return {key: encode(item) for key, item in value.items()}
    return value


def decode(kind: Any, data: Any, place: str = "value") -> Any:
    """What came from JSON as a value of type `kind`."""
    if decode_generic := _GENERICS.get(get_origin(kind)):
        return decode_generic(get_args(kind), data, place)
    if isinstance(kind, type) and is_dataclass(kind):
        return decode_fields(kind, _hints(kind), data, place)
    if kind is float:
        return _decode_float(data, place)
    return _expect(type(None) if kind is None else kind, data, place)


def decode_fields(make: Any, hints: dict[str, Any], data: Any, place: str) -> Any:
    """Call `make` with the decoded members of a JSON object, which must be those of `hints`."""
    members = _expect(dict, data, place)
    if missing := hints.keys() - members.keys():
        raise DecodeError(f"{place}: {', '.join(sorted(missing))} missing")
    if unknown := members.keys() - hints.keys():
        raise DecodeError(f"{place}: {', '.join(sorted(unknown))} unknown")
    values = {name: decode(kind, members[name], f"{place}.{name}") for name, kind in hints.items()}
    try:
        return make(**values)
    except ValueError as error:
        raise DecodeError(f"{place}: {error}") from error


def _decode_optional(options: tuple[Any, ...], data: Any, place: str) -> Any:
    """`T | None`, the only union a contract may use."""
    if data is None:
        return None
    (wanted,) = (option for option in options if option is not type(None))
    return decode(wanted, data, place)


def _decode_literal(options: tuple[Any, ...], data: Any, place: str) -> Any:
    if data not in options:
        raise DecodeError(f"{place}: one of {', '.join(options)} expected")
    return data


def _decode_dict(kinds: tuple[Any, ...], data: Any, place: str) -> dict[str, Any]:
    items = _expect(dict, data, place)
    return {key: decode(kinds[1], item, f"{place}.{key}") for key, item in items.items()}


def _decode_tuple(kinds: tuple[Any, ...], data: Any, place: str) -> tuple[Any, ...]:
    items = _expect(list, data, place)
    # Samples are nearly all that travels: they are checked without a call for each.
    if kinds[0] is float and all(type(item) is float and math.isfinite(item) for item in items):
        return tuple(items)
    return tuple(decode(kinds[0], item, f"{place}[{index}]") for index, item in enumerate(items))


def _decode_float(data: Any, place: str) -> float:
    if type(data) not in (int, float):
        raise DecodeError(f"{place}: a number expected, not {_name(data)}")
    try:
        number = float(data)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise DecodeError(f"{place}: a finite number expected")
    return number


def _expect(kind: type, data: Any, place: str) -> Any:
    if type(data) is not kind:
        raise DecodeError(f"{place}: {_JSON_NAMES.get(kind, kind.__name__)} expected, not {_name(data)}")
    return data


def _name(data: Any) -> str:
    return _JSON_NAMES.get(type(data), type(data).__name__)


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


_GENERICS: dict[Any, Callable[[tuple[Any, ...], Any, str], Any]] = {
    types.UnionType: _decode_optional,
    Literal: _decode_literal,
    dict: _decode_dict,
    tuple: _decode_tuple,
}

_JSON_NAMES = {
    dict: "an object",
    list: "a list",
    str: "a string",
    int: "an integer",
    float: "a number",
    bool: "a truth value",
    type(None): "null",
}
