"""What makes a Protocol class a contract: a name, a version and methods that can cross the wire.

    @contract("example.greeter", "1.0")
    class Greeter(Protocol):
        @idempotent
        async def greet(self, name: str) -> str: ...

A bundle that provides a contract is exported to the other agents; one that requires it gets
either the object in its own process or a proxy for the one in another.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar, get_type_hints

from msgspec import Struct, defstruct

_Class = TypeVar("_Class", bound=type)
_Function = TypeVar("_Function", bound=Callable[..., Any])

_contracts: dict[str, type] = {}


class RemoteError(Exception):
    """A remote call that brought no answer, or an error in place of one."""


def format_error(error: BaseException) -> str:
    """An error in a few words, also where it has no message of its own, as time-outs have."""
    return f"{type(error).__name__} {error}".strip()


@dataclass(frozen=True, slots=True)
class Method:
    """One method of a contract, as it is called over the network.

    Attributes:
        name: of the method.
        arguments: the request's body, with a member for each parameter.
        answer: the response's body, with the member "result".
        idempotent: whether a call may be repeated.
    """

    name: str
    arguments: type[Struct]
    answer: Any
    idempotent: bool


def contract(name: str, version: str) -> Callable[[_Class], _Class]:
    """Declare a Protocol class to be the contract `name`, at `version` ("major.minor")."""

    def declare(cls: _Class) -> _Class:
        local(name)(cls)
        cls.__contract_version__ = version  # type: ignore[attr-defined]
        _contracts[name] = cls
        return cls

    return declare


def local(name: str) -> Callable[[_Class], _Class]:
    """Declare a Protocol class to be a service within one agent, which is never exported."""

    def declare(cls: _Class) -> _Class:
        # Where iPOPO looks for a specification's name: contracts need not import the framework.
        cls.__SPECIFICATION__ = [name]  # type: ignore[attr-defined]
        return cls

    return declare


def idempotent(function: _Function) -> _Function:
    """Say that calling this method twice with the same arguments does what calling it once does."""
    function.__idempotent__ = True  # type: ignore[attr-defined]
    return function


def find(name: str) -> type | None:
    """The contract class of that name, when something in this process has declared it."""
    return _contracts.get(name)


def name_of(cls: type) -> str:
    """The name a contract or a local service is known by."""
    return str(cls.__SPECIFICATION__[0])  # type: ignore[attr-defined]


def version_of(cls: type) -> str:
    """The version of a contract class."""
    return str(cls.__contract_version__)  # type: ignore[attr-defined]


def serves(offered: str, wanted: str) -> bool:
    """Whether a provider at version `offered` can serve a consumer written for `wanted`."""
    try:
        (offered_major, offered_minor), (major, minor) = (
            (int(part) for part in version.split(".")) for version in (offered, wanted)
        )
    except ValueError:
        return False
    return offered_major == major and offered_minor >= minor


@cache
def methods_of(cls: type) -> dict[str, Method]:
    """The methods of a contract with the types of what goes in and comes out."""
    methods = {}
    for name, function in inspect.getmembers(cls, inspect.iscoroutinefunction):
        if not name.startswith("_"):
            parameters = get_type_hints(function)
            answer = _message("Answer", {"result": parameters.pop("return")})
            methods[name] = Method(name, _message("Arguments", parameters), answer, hasattr(function, "__idempotent__"))
    return methods


def _message(name: str, members: dict[str, Any]) -> type[Struct]:
    return defstruct(name, list(members.items()), frozen=True, forbid_unknown_fields=True)
