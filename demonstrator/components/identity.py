"""The identity processor: 3 ms for each sample, and the sample itself as its result."""

import asyncio
import time
from collections.abc import Callable

from demonstrator.model.samples import SECONDS_PER_SAMPLE, Batch, Result

Values = tuple[float, ...]

# A batch that follows its predecessor this closely was there already: what a timer or the processor's
# own loop was late by is made up for.
_SLACK = 0.05


def unchanged(values: Values) -> Values:
    """The identity."""
    return values


class IdentityProcessor:
    """Takes its time without taking the processor's: the work is waited for, not burnt.

    It works on one batch after the other, however many workers bring it some at once.
    """

    def __init__(
        self,
        name: str,
        clock: Callable[[], float] = time.monotonic,
        seconds_per_sample: float = SECONDS_PER_SAMPLE,
        work: Callable[[Values], Values] = unchanged,
    ) -> None:
        self._name = name
        self._clock = clock
        self._seconds_per_sample = seconds_per_sample
        self._work = work
        self._done_at = -_SLACK

    async def process(self, batch: Batch, queue: str) -> Result:
        """Work on a batch that this queue has lent."""
        now = self._clock()
        began = self._done_at if now - self._done_at < _SLACK else now
        self._done_at = began + self._seconds_per_sample * len(batch)
        await asyncio.sleep(self._done_at - self._clock())
        finished = Batch(batch.source, batch.first, batch.made_at, self._work(batch.values))
        return Result(finished, queue, self._name, time.time())
