"""The REST interface described as OpenAPI 3.1, from the table of endpoints that is also served."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class ReadEndpoint:
    """A path that can be read.

    Attributes:
        path: the path.
        summary: one line for people.
        response: the type of what `handler` returns.
        handler: returns what is asked for.
        errors: each status of an error, and the reason.
    """

    path: str
    summary: str
    response: type
    handler: Callable[[], Awaitable[Any]]
    errors: dict[int, str]


@dataclass(frozen=True, slots=True)
class WriteEndpoint:
    """A path where something can be changed, by POST and by PUT.

    Attributes:
        path: the path.
        summary: one line for people.
        bodies: the types that a body may have.
        handler: makes the change that a body describes.
    """

    path: str
    summary: str
    bodies: tuple[type, ...]
    handler: Callable[[Any], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class WriteResponses:
    """The responses that all changes have in common.

    Attributes:
        success: the type of the response to a change that was made.
        errors: each status of an error, and the reason.
        password: True when changes need a password.
    """

    success: type
    errors: dict[int, str]
    password: bool


def document(
    version: str,
    reads: Sequence[ReadEndpoint],
    writes: Sequence[WriteEndpoint],
    responses: WriteResponses,
    error: type,
) -> Any:
    """Return the description as plain data.

    Args:
        version: of the interface.
        reads: the paths to read.
        writes: the paths to change something at.
        responses: what changes are answered with.
        error: the type of every response that tells of an error.
    """
    kinds = [error, responses.success, *(read.response for read in reads), *(body for w in writes for body in w.bodies)]
    references, components = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    for schema in components.values():
        # Every member is there, whether or not Python has a default for it, and no other.
        schema |= {"required": list(schema["properties"]), "additionalProperties": False}
    schemas = dict(zip(kinds, references, strict=True))

    def content(*types: type) -> dict[str, Any]:
        options = [schemas[kind] for kind in types]
        return {"content": {_JSON: {"schema": options[0] if len(options) == 1 else {"anyOf": options}}}}

    def answers(text: str, success: type, errors: dict[int, str]) -> dict[str, Any]:
        failures = {str(status): {"description": reason, **content(error)} for status, reason in errors.items()}
        return {"200": {"description": text, **content(success)}, **failures}

    paths: dict[str, dict[str, Any]] = {
        read.path: {
            "get": {
                "operationId": f"get-{_last(read.path)}",
                "summary": read.summary,
                "responses": answers("What is asked for.", read.response, read.errors),
            }
        }
        for read in reads
    }
    for write in writes:
        for method in ("post", "put"):
            paths.setdefault(write.path, {})[method] = {
                "operationId": f"{method}-{_last(write.path)}",
                "summary": write.summary,
                "requestBody": {"required": True, **content(*write.bodies)},
                "responses": answers("What is requested now.", responses.success, responses.errors),
                **({"security": [{"password": []}]} if responses.password else {}),
            }
    security = {"securitySchemes": {"password": {"type": "http", "scheme": "basic"}}} if responses.password else {}
    return {
        "openapi": "3.1.0",
        "info": {"title": "INAETICS demonstrator", "version": version},
        "paths": paths,
        "components": {"schemas": components, **security},
    }


def _last(path: str) -> str:
    return path.rpartition("/")[2]
