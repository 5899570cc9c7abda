"""The producer itself: batches of numbered samples, each offered until a queue has answered."""

import asyncio
import logging
import math
import time
from collections import OrderedDict

from demonstrator.bundles.producer.pacing import Pacer
from demonstrator.model.samples import MAX_REPORTED_QUEUES, Batch, ProducerMode, PutResult, PutTotals
from demonstrator.remote import RemoteError
from demonstrator.services.data_path import Queue

# Until the coordinator says otherwise: more than one processor can take (333 a second) and less
# than two.
DEFAULT_RATE = 500.0
BATCH_SIZE = 50

_RETRY_SECONDS = 0.2
_WAVE = 1_000

_logger = logging.getLogger(__name__)


class SampleSource:
    """Makes samples, in batches numbered from 0, and offers each until the queue has answered.

    `pacer` says when. It makes nothing while a batch waits for its answer: without a queue the numbers stand still.
    """

    def __init__(
        self, source: str, rate: float = DEFAULT_RATE, kind: ProducerMode = "periodic", batch_size: int = BATCH_SIZE
    ) -> None:
        self.pacer = Pacer(rate, kind, batch_size)
        self.produced = 0
        self.accepted = 0
        self.refused = 0
        self._source = source
        self._batch_size = batch_size
        self._in_hand: Batch | None = None
        self._answers: OrderedDict[str, PutResult] = OrderedDict()

    async def run(self, queue: Queue) -> None:
        """Produce into this queue until cancelled; what is in hand is kept for the next one."""
        while True:
            if self._in_hand is None:
                await self.pacer.due()
                self._in_hand = self._make()
            try:
                receipt = await queue.put(self._in_hand)
            except RemoteError as error:
                _logger.warning("the queue does not answer: %s", error)
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            self._in_hand = None
            self._note(receipt)

    def receipts(self) -> PutTotals:
        """What the queues answered so far."""
        return PutTotals(self._source, dict(self._answers))

    def _note(self, receipt: PutResult) -> None:
        before = self._answers.get(receipt.queue, PutResult(0, 0, receipt.queue))
        self._answers[receipt.queue] = PutResult(
            before.accepted + receipt.accepted, before.refused + receipt.refused, receipt.queue
        )
        self.accepted += receipt.accepted
        self.refused += receipt.refused
        if len(self._answers) > MAX_REPORTED_QUEUES:
            self._answers.popitem(last=False)

    def _make(self) -> Batch:
        first = self.produced
        self.produced += self._batch_size
        values = (math.sin(2 * math.pi * (first + i) / _WAVE) for i in range(self._batch_size))
        return Batch(self._source, first, time.time(), tuple(round(value, 6) for value in values))
