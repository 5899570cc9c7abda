"""The identity processor: 3 ms for each sample, and the sample itself as its result."""

import asyncio
import time
from collections.abc import Callable

from demonstrator.contracts.samples import SECONDS_PER_SAMPLE, Batch, Result

Values = tuple[float, ...]


def unchanged(values: Values) -> Values:
    """The identity."""
    return values


class IdentityProcessor:
    """Takes its time without taking the processor's: the work is waited for, not burnt.

    It works on one batch at a time, however many workers bring it some.
    """

    def __init__(
        self,
        name: str,
        seconds_per_sample: float = SECONDS_PER_SAMPLE,
        work: Callable[[Values], Values] = unchanged,
    ) -> None:
        self._name = name
        self._seconds_per_sample = seconds_per_sample
        self._work = work
        self._free = asyncio.Lock()

    async def process(self, batch: Batch, queue: str) -> Result:
        """Work on a batch that this queue has lent."""
        async with self._free:
            await asyncio.sleep(self._seconds_per_sample * len(batch))
            finished = Batch(batch.source, batch.first, batch.made_at, self._work(batch.values))
        return Result(finished, queue, self._name, time.time())
