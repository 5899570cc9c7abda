"""Contracts: Protocol classes with a name, a version and methods that can be called over the network.

    @contract("example.hello", "1.0")
    class Hello(Protocol):
        @idempotent
        async def hello(self, name: str) -> str: ...

A bundle that provides a contract is exported to the other agents; one that requires it gets either the object in its
own process or a proxy for the one in another. Parameters and results are of the types that `demonstrator.lib.codec`
carries.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar, get_type_hints

from msgspec import Struct, defstruct

from demonstrator.platform import local_service

_Class = TypeVar("_Class", bound=type)
_Function = TypeVar("_Function", bound=Callable[..., Any])

# The class that was declared last for each contract, by the contract's name.
declared: dict[str, type] = {}


class RemoteError(Exception):
    """A remote call without an answer, or with an error for an answer."""


@dataclass(frozen=True, slots=True)
class Method:
    """One method of a contract: a request's body has a member for each argument, its answer the member "result"."""

    name: str
    wire_name: str
    arguments: type[Struct]
    answer: Any
    idempotent: bool


def contract(name: str, version: str) -> Callable[[_Class], _Class]:
    """Declare a Protocol class to be a contract, by whose name providers are found.

    Of its version "major.minor", the minor part rises when methods are added, the major part when one goes or changes.
    """

    def declare(cls: _Class) -> _Class:
        declared[name] = local_service(name)(cls)
        cls.__contract_version__ = version  # type: ignore[attr-defined]
        return cls

    return declare


def idempotent(function: _Function) -> _Function:
    """Mark a method that may be called again with the same arguments when an answer is lost."""
    function.__idempotent__ = True  # type: ignore[attr-defined]
    return function


def wire_name(name: str) -> Callable[[_Function], _Function]:
    """Give a method another name in requests, so that it is renamed here but not for other agents."""

    def mark(function: _Function) -> _Function:
        function.__wire_name__ = name  # type: ignore[attr-defined]
        return function

    return mark


def find(name: str) -> type:
    """Return the class of a contract; raises LookupError."""
    if name not in declared:
        raise LookupError(f"no contract is called {name}")
    return declared[name]


def version_of(name: str) -> str:
    """Return the version of a contract."""
    return str(find(name).__contract_version__)  # type: ignore[attr-defined]


def is_compatible(offered: str, required: str) -> bool:
    """Tell whether a provider at version `offered` can serve a consumer written for version `required`."""
    try:
        (offered_major, offered_minor), (major, minor) = (map(int, part.split(".")) for part in (offered, required))
    except ValueError:
        return False
    return offered_major == major and offered_minor >= minor


@cache
def methods_of(cls: type) -> dict[str, Method]:
    """Return the methods of a contract by their wire names."""
    methods = {}
    for name, function in inspect.getmembers(cls, inspect.iscoroutinefunction):
        if not name.startswith("_"):
            parameters = get_type_hints(function)
            answer = _message("Answer", {"result": parameters.pop("return")})
            wire = getattr(function, "__wire_name__", name)
            arguments = _message("Arguments", parameters)
            methods[wire] = Method(name, wire, arguments, answer, hasattr(function, "__idempotent__"))
    return methods


def _message(name: str, members: dict[str, Any]) -> type[Struct]:
    return defstruct(name, list(members.items()), frozen=True, forbid_unknown_fields=True)
