"""`python3 -m demonstrator.agent`: one agent, until SIGTERM or Ctrl-C."""

import asyncio
import os
import signal
import sys

from demonstrator.agent import agent
from demonstrator.agent.settings import Settings, SettingsError
from demonstrator.lib import log


async def _main(settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await agent.run(settings, stop)


if __name__ == "__main__":
    log.set_up()
    try:
        asyncio.run(_main(Settings.read(os.environ)))
    except SettingsError as error:
        sys.exit(f"error: {error}")
