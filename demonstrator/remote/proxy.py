"""Proxies: objects with the methods of a contract, which call its provider in another agent."""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp

from demonstrator.lib import codec
from demonstrator.lib.errors import format_error
from demonstrator.platform.spi import service_name
from demonstrator.remote.contracts import Method, RemoteError, methods_of

CALL_SECONDS = 2.0
_ATTEMPTS = 2


class Endpoint:
    """The URL of an exported service, and how it is called."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url
        self._timeout = aiohttp.ClientTimeout(total=CALL_SECONDS)

    async def call(self, method: Method, arguments: dict[str, Any]) -> Any:
        """Call a method; an idempotent one is called once more if no answer comes.

        Args:
            method: of the service's contract.
            arguments: by parameter name.

        Raises:
            RemoteError: there is no answer, an error, or an answer that does not match the contract.
        """
        body = codec.encode(arguments)
        for attempt in range(_ATTEMPTS if method.idempotent else 1):
            try:
                return await self._post(method, body)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                failure = f"{self._url}/{method.wire_name}, attempt {attempt + 1}: {format_error(error)}"
        raise RemoteError(failure)

    async def _post(self, method: Method, body: bytes) -> Any:
        async with self._session.post(f"{self._url}/{method.wire_name}", data=body, timeout=self._timeout) as response:
            text = await response.read()
            if response.status != 200:
                raise RemoteError(f"{self._url}/{method.wire_name}: {response.status} {text[:200]!r}")
        try:
            return codec.decode(method.answer, text, "answer").result
        except codec.DecodeError as error:
            raise RemoteError(f"{self._url}/{method.wire_name}: {error}") from error


def make_proxy(cls: type, endpoint: Endpoint) -> object:
    """Return an object that implements the contract `cls` by calling `endpoint`."""
    methods: dict[str, Any] = {
        method.name: _make_method(getattr(cls, method.name), method, endpoint) for method in methods_of(cls).values()
    }
    return type(f"Remote{cls.__name__}", (), {**methods, "__doc__": f"Remote {service_name(cls)}"})()


def _make_method(function: Callable[..., Any], method: Method, endpoint: Endpoint) -> Callable[..., Awaitable[Any]]:
    signature = inspect.signature(function)

    async def call(self: object, *values: Any, **named: Any) -> Any:
        arguments = signature.bind(self, *values, **named).arguments
        del arguments["self"]
        return await endpoint.call(method, arguments)

    call.__doc__ = function.__doc__
    return call
