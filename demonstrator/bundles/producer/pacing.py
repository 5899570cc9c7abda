"""When a producer makes its batches: one by one, or in bursts of ten."""

import asyncio
import math

from demonstrator.model.samples import ProducerMode

# A kind is nothing but the number of batches that are made in one go; the pause after them keeps the rate.
BATCHES_AT_ONCE: dict[ProducerMode, int] = {"periodic": 1, "burst": 10}


class Pacer:
    """Says when the next batch is due, so that `rate` samples a second are made in the mean."""

    def __init__(self, rate: float, kind: ProducerMode, batch_size: int) -> None:
        self.rate = rate
        self.kind = kind
        self._batch_size = batch_size
        self._made_at_once = 0
        self._began = -math.inf
        self._changed = asyncio.Event()

    def set_rate(self, rate: float) -> None:
        """Aim at another rate from now on, in the middle of a pause too; 0 makes nothing."""
        if rate != self.rate:
            self.rate = rate
            self._changed.set()

    async def due(self) -> None:
        """Wait until the next batch is due, at the rate of then."""
        if not (self.rate and 0 < self._made_at_once < BATCHES_AT_ONCE[self.kind]):
            await self._pause()
            self._made_at_once = 0
        self._made_at_once += 1

    async def _pause(self) -> None:
        clock = asyncio.get_running_loop().time
        made = self._made_at_once * self._batch_size
        while True:
            self._changed.clear()
            interval = made / self.rate if self.rate else math.inf
            now, due = clock(), self._began + interval
            left = due - now
            if left <= 0:
                # A little late is made up for by the next pause; what is lost beyond that is lost.
                self._began = due if -left < interval else now
                return
            try:
                async with asyncio.timeout(left if self.rate else None):
                    await self._changed.wait()
            except TimeoutError:
                continue
