"""The identity processor: 3 ms for each sample, and the sample itself as its result."""

import asyncio
import time

from demonstrator.contracts.samples import SECONDS_PER_SAMPLE, Batch, Result


class IdentityProcessor:
    """Takes its time without taking the processor's: the work is waited for, not burnt."""

    def __init__(self, name: str, seconds_per_sample: float = SECONDS_PER_SAMPLE) -> None:
        self._name = name
        self._seconds_per_sample = seconds_per_sample

    async def process(self, batch: Batch, queue: str) -> Result:
        """Work on a batch that this queue has lent."""
        await asyncio.sleep(self._seconds_per_sample * len(batch))
        return Result(batch, queue, self._name, time.time())
