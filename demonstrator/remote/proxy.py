"""Remote services as objects: a proxy has the methods of its contract and calls the provider."""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp

from demonstrator.lib import codec
from demonstrator.remote.contract import Method, RemoteError, format_error, methods_of, name_of

CALL_SECONDS = 2.0
_ATTEMPTS = 2


class Endpoint:
    """Where one exported service is called."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url
        self._timeout = aiohttp.ClientTimeout(total=CALL_SECONDS)

    async def call(self, method: Method, arguments: dict[str, Any]) -> Any:
        """Call a method; a idempotent one is tried again once when no answer comes.

        Raises RemoteError when there is no answer, or one that is not as the contract says.
        """
        body = codec.encode(arguments)
        for attempt in range(_ATTEMPTS if method.idempotent else 1):
            try:
                return await self._post(method, body)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                failure = f"{self._url}/{method.name}, attempt {attempt + 1}: {format_error(error)}"
        raise RemoteError(failure)

    async def _post(self, method: Method, body: bytes) -> Any:
        async with self._session.post(f"{self._url}/{method.name}", data=body, timeout=self._timeout) as response:
            text = await response.read()
            if response.status != 200:
                raise RemoteError(f"{self._url}/{method.name}: {response.status} {text[:200]!r}")
        try:
            return codec.decode(method.answer, text, "answer").result
        except codec.DecodeError as error:
            raise RemoteError(f"{self._url}/{method.name}: {error}") from error


def make_proxy(cls: type, endpoint: Endpoint) -> object:
    """An object that implements the contract `cls` by calling `endpoint`."""
    methods: dict[str, Any] = {
        method.name: _remote(getattr(cls, method.name), method, endpoint) for method in methods_of(cls).values()
    }
    return type(f"Remote{cls.__name__}", (), {**methods, "__doc__": f"Remote {name_of(cls)}"})()


def _remote(function: Callable[..., Any], method: Method, endpoint: Endpoint) -> Callable[..., Awaitable[Any]]:
    signature = inspect.signature(function)

    async def call(self: object, *values: Any, **named: Any) -> Any:
        arguments = signature.bind(self, *values, **named).arguments
        del arguments["self"]
        return await endpoint.call(method, arguments)

    call.__doc__ = function.__doc__
    return call
