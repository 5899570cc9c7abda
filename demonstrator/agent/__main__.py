"""`python3 -m demonstrator.agent`: one agent, until SIGTERM or Ctrl-C."""

import asyncio
import logging
import os
import signal
import sys

from aiohttp.http_exceptions import HttpProcessingError

from demonstrator.agent import agent
from demonstrator.agent.settings import Settings, SettingsError


def _ours(record: logging.LogRecord) -> bool:
    """Whether a record is not of a request that is no HTTP: what somebody sends does not belong into the log."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


async def _main(settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await agent.run(settings, stop)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("aiohttp.server").addFilter(_ours)
    try:
        asyncio.run(_main(Settings.read(os.environ)))
    except SettingsError as error:
        sys.exit(f"error: {error}")
