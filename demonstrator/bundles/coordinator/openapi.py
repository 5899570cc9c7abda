"""The REST interface described as OpenAPI 3.1, from the table of resources that is also served."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from demonstrator.bundles.coordinator.schemas import ErrorResponse
from demonstrator.model.overview import Scaling

JSON = "application/json"
CHANGE_METHODS = ("POST", "PUT")
# Of a change, in bytes: far more than any needs.
BODY_LIMIT = 1024
# Of the interface: its minor part rises with what is added, its major part when something goes.
_VERSION = "1.2"

_CHANGE_ERRORS = {
    400: "The body is not as described; the error says where.",
    401: "The password is missing or wrong.",
    403: "The request comes from a page of another site.",
    413: f"The body has more than {BODY_LIMIT} bytes.",
    415: f"The body is not {JSON}.",
    503: "No coordinator can act now; try again.",
}


# Returns an answer, or waits for it.
Read = Callable[[], Any]
Change = Callable[[Any], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Resource:
    """A path that can be read, and where something may be changed.

    Attributes:
        response: the type of what `read` returns.
        errors: each status of an error of reading, and the reason.
        changes: for each type that a body may have, what makes the change.
    """

    path: str
    summary: str
    response: type
    read: Read
    errors: Mapping[int, str] = field(default_factory=dict)
    change_summary: str = ""
    changes: Mapping[type, Change] = field(default_factory=dict)


def document(resources: Sequence[Resource], *, password: bool) -> Any:
    """Return the description as plain data, of an interface whose changes may need a password."""
    kinds = [ErrorResponse, Scaling, *(kind for item in resources for kind in (item.response, *item.changes))]
    references, components = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    for schema in components.values():
        # Every member is there, whether or not Python has a default for it, and no other.
        schema |= {"required": list(schema["properties"]), "additionalProperties": False}
    schemas = dict(zip(kinds, references, strict=True))

    def content(*types: type) -> dict[str, Any]:
        options = [schemas[kind] for kind in types]
        return {"content": {JSON: {"schema": options[0] if len(options) == 1 else {"anyOf": options}}}}

    def operation(method: str, path: str, summary: str, success: Any, errors: Mapping[int, str]) -> dict[str, Any]:
        failures = {str(status): {"description": reason, **content(ErrorResponse)} for status, reason in errors.items()}
        responses = {"200": success, **failures}
        return {"operationId": f"{method}-{path.rpartition('/')[2]}", "summary": summary, "responses": responses}

    paths: dict[str, dict[str, Any]] = {}
    for item in resources:
        read = {"description": "What is asked for.", **content(item.response)}
        paths[item.path] = {"get": operation("get", item.path, item.summary, read, item.errors)}
        for method in map(str.lower, CHANGE_METHODS if item.changes else ()):
            changed = {"description": "What is requested now.", **content(Scaling)}
            paths[item.path][method] = {
                **operation(method, item.path, item.change_summary, changed, _CHANGE_ERRORS),
                "requestBody": {"required": True, **content(*item.changes)},
                **({"security": [{"password": []}]} if password else {}),
            }
    security = {"securitySchemes": {"password": {"type": "http", "scheme": "basic"}}} if password else {}
    return {
        "openapi": "3.1.0",
        "info": {"title": "INAETICS demonstrator", "version": _VERSION},
        "paths": paths,
        "components": {"schemas": components, **security},
    }
