"""Logging of the demonstrator's processes, which `kubectl logs` shows."""

import logging

from aiohttp.http import HttpProcessingError


class _OmitRequest(logging.Filter):
    """Omits the bytes of a malformed request: aiohttp quotes them, and they may hold a credential."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep the record without the request's bytes."""
        if record.exc_info and isinstance(record.exc_info[1], HttpProcessingError):
            record.exc_info = None
        return True


def set_up() -> None:
    """Write log records to standard error."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("aiohttp.server").addFilter(_OmitRequest())
