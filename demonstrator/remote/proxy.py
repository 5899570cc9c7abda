"""Proxies: objects with the methods of a contract, which call its provider in another agent."""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp

from demonstrator.lib import codec
from demonstrator.lib.errors import format_error
from demonstrator.remote.contracts import Method, RemoteError, methods_of

_TIMEOUT = aiohttp.ClientTimeout(total=2.0)


def make_proxy(cls: type, session: aiohttp.ClientSession, url: str) -> Any:
    """Return an object that implements the contract `cls` by calling the exported service at `url`."""
    methods = {method.name: _make_method(cls, method, session, url) for method in methods_of(cls).values()}
    return type(f"Remote{cls.__name__}", (), methods)()


def _make_method(cls: type, method: Method, session: aiohttp.ClientSession, url: str) -> Callable[..., Awaitable[Any]]:
    """Return a method that raises RemoteError: no answer, an error, or an answer that does not match the contract."""
    signature = inspect.signature(getattr(cls, method.name))
    url = f"{url}/{method.wire_name}"
    attempts = 2 if method.idempotent else 1

    async def call(self: object, *values: Any, **named: Any) -> Any:
        arguments = signature.bind(self, *values, **named).arguments
        del arguments["self"]
        body = codec.encode(arguments)
        for attempt in range(1, attempts + 1):
            try:
                async with session.post(url, data=body, timeout=_TIMEOUT) as response:
                    text = await response.read()
                if response.status != 200:
                    raise RemoteError(f"{url}: {response.status} {text[:200]!r}")
                return codec.decode(method.answer, text, "answer").result
            except codec.DecodeError as error:
                raise RemoteError(f"{url}: {error}") from error
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                failure = f"{url}, attempt {attempt}: {format_error(error)}"
        raise RemoteError(failure)

    return call
