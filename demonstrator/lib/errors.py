"""Errors of HTTP requests, and errors as text."""

import aiohttp
from aiohttp.http import HttpProcessingError

from demonstrator.lib.codec import DecodeError

# A request or a stream without an answer, or with one that cannot be read. HttpProcessingError: a line over the limit.
REQUEST_ERRORS = (aiohttp.ClientError, HttpProcessingError, OSError, TimeoutError, DecodeError)


def format_error(error: BaseException) -> str:
    """Return an error's class and message; some errors, such as timeouts, have no message."""
    return f"{type(error).__name__} {error}".strip()
