"""The REST interface described as OpenAPI 3.1, from the table of routes that is also served."""

import inspect
import re
import types
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, is_dataclass
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from msgspec import Struct

_JSON = "application/json"
_PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}
_ATTRIBUTE = re.compile(r"^    (\w+): (.*(?:\n {8}.*)*)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Limits:
    """The values that a whole number may have, in a type's annotation."""

    least: int
    most: int
    step: int = 1


@dataclass(frozen=True, slots=True)
class Reading:
    """A path that can be read."""

    path: str
    summary: str
    answer: type
    ask: Callable[[], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Change:
    """A path that something can be changed at, by POST and by PUT."""

    path: str
    summary: str
    body: type | types.UnionType
    carry_out: Callable[[Any], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Changing:
    """What all changes have in common.

    Attributes:
        answer: the answer when it was carried out.
        refusal: the answer when it was not.
        reasons: each status it may be refused with, and why.
        password: whether a password is needed.
    """

    answer: type
    refusal: type
    reasons: dict[int, str]
    password: bool


def document(version: str, readings: Sequence[Reading], changes: Sequence[Change], changing: Changing) -> Any:
    """The whole description, as plain data."""
    schemas: dict[str, Any] = {}
    paths: dict[str, dict[str, Any]] = {
        reading.path: {
            "get": {
                "operationId": f"get-{_last(reading.path)}",
                "summary": reading.summary,
                "responses": {"200": _answer("What is asked for.", reading.answer, schemas)},
            }
        }
        for reading in readings
    }
    for change in changes:
        refusals = {
            str(status): _answer(reason, changing.refusal, schemas) for status, reason in changing.reasons.items()
        }
        for method in ("post", "put"):
            paths.setdefault(change.path, {})[method] = {
                "operationId": f"{method}-{_last(change.path)}",
                "summary": change.summary,
                "requestBody": {"required": True, "content": _content(change.body, schemas)},
                "responses": {"200": _answer("What is asked for now.", changing.answer, schemas), **refusals},
                **({"security": [{"password": []}]} if changing.password else {}),
            }
    security: dict[str, Any] = (
        {"securitySchemes": {"password": {"type": "http", "scheme": "basic"}}} if changing.password else {}
    )
    return {
        "openapi": "3.1.0",
        "info": {"title": "INAETICS demonstrator", "version": version},
        "paths": paths,
        "components": {"schemas": schemas, **security},
    }


def schema(kind: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    """A type as JSON Schema; classes are added to `schemas` and referred to."""
    if is_dataclass(kind) or (isinstance(kind, type) and issubclass(kind, Struct)):
        return _reference(kind, schemas)
    arguments = get_args(kind)
    match get_origin(kind):
        case origin if origin is Annotated:
            plain, limits = arguments
            return schema(plain, schemas) | {
                "minimum": limits.least,
                "maximum": limits.most,
                "multipleOf": limits.step,
            }
        case origin if origin is Literal:
            return {"type": "string", "enum": list(arguments)}
        case origin if origin is tuple:
            return {"type": "array", "items": schema(arguments[0], schemas)}
        case types.UnionType:
            return {"anyOf": [schema(option, schemas) for option in arguments]}
    return {"type": _PLAIN[kind]}


def _reference(kind: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    name = kind.__name__
    if name not in schemas:
        schemas[name] = {}
        schemas[name] |= _object(kind, schemas)
    return {"$ref": f"#/components/schemas/{name}"}


def _object(kind: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    text, _, attributes = inspect.cleandoc(kind.__doc__).partition("\n\nAttributes:\n")
    described = {name: " ".join(words.split()) for name, words in _ATTRIBUTE.findall(attributes)}
    hints = get_type_hints(kind, include_extras=True)
    names = list(hints)
    return {
        "type": "object",
        "description": " ".join(text.split()),
        "properties": {
            name: schema(hints[name], schemas) | ({"description": described[name]} if name in described else {})
            for name in names
        },
        "required": names,
        "additionalProperties": False,
    }


def _answer(text: str, kind: type, schemas: dict[str, Any]) -> dict[str, Any]:
    return {"description": text, "content": _content(kind, schemas)}


def _content(kind: type | types.UnionType, schemas: dict[str, Any]) -> dict[str, Any]:
    return {_JSON: {"schema": schema(kind, schemas)}}


def _last(path: str) -> str:
    return path.rpartition("/")[2]
