"""`python3 -m demonstrator.agent`: one agent, until SIGTERM or Ctrl-C."""

import asyncio
import logging
import os
import signal
import sys

from demonstrator.agent import agent
from demonstrator.agent.settings import Settings, SettingsError


async def _main(settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await agent.run(settings, stop)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    try:
        asyncio.run(_main(Settings.read(os.environ)))
    except SettingsError as error:
        sys.exit(f"error: {error}")
