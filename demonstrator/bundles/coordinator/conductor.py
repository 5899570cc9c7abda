"""Steers processors and producers, for as long as this coordinator holds the lease."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Any

from demonstrator.bundles.coordinator.autoscaler import PERIOD_SECONDS, RULES, Load, split
from demonstrator.bundles.coordinator.controllers import Controllers
from demonstrator.bundles.coordinator.lease import Lease
from demonstrator.bundles.coordinator.regulator import check_preference, production_rate
from demonstrator.bundles.coordinator.settings import PRODUCERS, Settings
from demonstrator.lib.kubernetes import KubernetesError
from demonstrator.model.overview import Overview, Scaling
from demonstrator.model.samples import ProducerMode
from demonstrator.remote import RemoteError
from demonstrator.services.data_path import Producer

FEWEST_PRODUCERS, MOST_PRODUCERS = 1, 4

# A producer that takes longer is told again a second later; the others are not held up.
_PATIENCE = 0.5
# Overviews come a second apart, and not to the millisecond.
_EARLY = 0.5

_logger = logging.getLogger(__name__)


class NotActingError(Exception):
    """Another coordinator acts, or none can: nothing is changed here."""


class Conductor:
    """Looks at every overview, sets the producers' rate, and decides once in a period."""

    def __init__(
        self,
        settings: Settings,
        lease: Lease,
        controllers: Controllers,
        producers: Callable[[], Sequence[Producer]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._lease = lease
        self._controllers = controllers
        self._producers = producers
        self._clock = clock
        self._measured: tuple[float, float] | None = None

    def scaling(self) -> Scaling:
        """Requested and actual numbers now."""
        return Scaling(
            rule=self._settings.rule,
            coordinator=self._lease.holder,
            preferred_utilisation=self._lease.preference,
            producer_kind=self._lease.kind,
            processors=self._controllers.scale(self._settings.processors),
            producers=self._controllers.scale(PRODUCERS),
        )

    async def run(self, following: Callable[[], Awaitable[Overview]]) -> None:
        """Act on each overview until cancelled; with manual scaling just the producers' kind is set."""
        rule = self._settings.rule
        while True:
            overview = await following()
            if self._lease.acting:
                await _tell(producer.set_kind(self._lease.kind) for producer in self._producers())
            if rule == "manual":
                continue
            # Without a queue there is nothing to go by, and a slope over the gap means nothing.
            capacity = overview.accounting.capacity if overview.accounting else 0
            if not self._lease.acting or not capacity:
                self._measured = None
                continue
            await self._regulate(overview, capacity)
            try:
                await self._decide(RULES[rule], overview, capacity)
            except KubernetesError as error:
                _logger.warning("processors cannot be scaled: %s", error)

    async def scale_producers(self, number: int) -> None:
        """Ask for so many producers."""
        if not FEWEST_PRODUCERS <= number <= MOST_PRODUCERS:
            raise ValueError(f"{number} producers, where {FEWEST_PRODUCERS} to {MOST_PRODUCERS} may be asked for")
        self._check()
        for name, replicas in split(number, PRODUCERS).items():
            await self._controllers.request(name, replicas, "dashboard")
        _logger.info("producers: %d are asked for", number)

    async def prefer(self, percent: int) -> None:
        """Aim at another utilisation of the queue."""
        check_preference(percent)
        if self._settings.rule == "manual":
            raise ValueError("scaling is manual here, and the producers' rate is fixed")
        self._check()
        await self._lease.prefer(percent)
        _logger.info("preferred utilisation: %d %%", percent)

    async def choose(self, kind: ProducerMode) -> None:
        """Have another kind of producers."""
        self._check()
        await self._lease.choose(kind)
        _logger.info("producers: %s", kind)

    def _check(self) -> None:
        if not self._lease.acting:
            raise NotActingError(f"the coordinator that acts is {self._lease.holder or 'none'}")

    async def _decide(self, rule: Callable[[Load], int], overview: Overview, capacity: int) -> None:
        """Apply the rule once in a period, for the first time as soon as there is something to see."""
        now, utilisation = self._clock(), overview.now.utilisation
        before = self._measured
        if before and now - before[0] < PERIOD_SECONDS - _EARLY:
            return
        scale = self._controllers.scale(self._settings.processors)
        if not scale:
            return
        self._measured = now, utilisation
        slope = (utilisation - before[1]) / (now - before[0]) if before else 0.0
        load = Load(utilisation, slope, scale.requested, overview.now.produced, capacity)
        wanted = rule(load)
        why = f"utilisation {utilisation:.1f} %, slope {slope:.1f} %/s, {load.arriving:.0f} samples/s arrive"
        if wanted != scale.requested:
            _logger.info("processors: %d are asked for, not %d: %s", wanted, scale.requested, why)
        for name, replicas in split(wanted, self._settings.processors).items():
            if self._lease.acting:
                await self._controllers.request(name, replicas, "rule", why)

    async def _regulate(self, overview: Overview, capacity: int) -> None:
        producers = self._producers()
        if not producers:
            return
        now = overview.now
        rate = production_rate(self._lease.preference, now.utilisation, now.stored, capacity, len(producers))
        await _tell(producer.set_rate(rate) for producer in producers)


async def _tell(calls: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Tell all producers at once; those that do not answer are told again a second later."""
    tasks = [asyncio.create_task(call) for call in calls]
    if not tasks:
        return
    done, late = await asyncio.wait(tasks, timeout=_PATIENCE)
    for task in late:
        task.cancel()
    for task in done:
        if (error := task.exception()) and not isinstance(error, RemoteError):
            raise error
