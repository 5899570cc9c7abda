"""How the demonstrator's processes write their logs, which `kubectl logs` shows."""

import logging

from aiohttp.http import HttpProcessingError


class _Discreet(logging.Filter):
    """Leaves out what a malformed request looked like: aiohttp quotes it, and it may hold a credential."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep the record, without the request's own bytes."""
        if record.exc_info and isinstance(record.exc_info[1], HttpProcessingError):
            record.exc_info = None
        return True


def set_up() -> None:
    """Write to standard error from now on."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("aiohttp.server").addFilter(_Discreet())
