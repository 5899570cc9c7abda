"""The scaling of processors by a rule and of the producers' rate by the queue: pure functions, and who applies them."""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from demonstrator.bundles.coordinator.leader_election import PRODUCER_MODE, TARGET_UTILISATION, LeaderElection
from demonstrator.bundles.coordinator.settings import Settings
from demonstrator.bundles.coordinator.watches import Cluster
from demonstrator.lib.kubernetes import KubernetesError
from demonstrator.model import RATE_LIMIT, SECONDS_PER_SAMPLE, ProducerMode
from demonstrator.model.overview import DataPoint, Overview, Scaling, ScalingRule
from demonstrator.remote import RemoteError
from demonstrator.services import Producer

_PRODUCERS = "inaetics-producer-controller"

PERIOD_SECONDS = 10.0
# Snapshots come a second apart, and not to the millisecond.
_TOLERANCE = 0.5
_MIN_PROCESSORS, MAX_PROCESSORS = 1, 8

# Utilisation in percent, and how fast it changes in percent a second.
BARRIER_LOW, BARRIER_HIGH = 10.0, 35.0
_SLOPE_1, _SLOPE_2 = 5.0, 10.0

# A processor waits for its queue and the data store now and then.
SERVICE_RATE = 0.95 / SECONDS_PER_SAMPLE
# What the queue holds above the upper barrier is to be worked off in this time.
_DRAIN_SECONDS = 30.0
# In processors: load that differs by less is the same load, measured twice.
_HYSTERESIS = 0.1
# What the queue holds too much or too little of the target is made up for at this pace.
_CORRECTION_SECONDS = 10.0

# A producer that takes longer is called again a second later; the others are not held up.
_TIMEOUT = 0.5

_T = TypeVar("_T")

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Load:
    """Input of a scaling rule: the queue, and the processors requested now."""

    utilisation: float  # in percent
    slope: float  # the utilisation's change over the last period, in percent a second
    replicas: int
    arriving: float  # samples offered to the queue, a second
    capacity: int  # in samples


def original(load: Load) -> int:
    """Return the number of processors by the rule of the original demonstrator."""
    step = 0
    if load.slope > _SLOPE_1:
        step = 2 if load.slope > _SLOPE_2 else 1
    elif load.slope >= -_SLOPE_1:
        step = (load.utilisation > BARRIER_HIGH) - (load.utilisation < BARRIER_LOW)
    elif load.utilisation < BARRIER_HIGH:
        step = -1 if load.slope > -_SLOPE_2 else -2
    return _within_limits(load.replicas + step)


def predictive(load: Load) -> int:
    """Return the number of processors that the arriving samples keep busy, in one step, however many that is.

    What the queue holds above the upper barrier counts as arriving too; between the barriers the queue is left to
    take up what the load has too much or too little for a whole processor.
    """
    above = max(0.0, load.utilisation - BARRIER_HIGH) / 100 * load.capacity
    busy = (load.arriving + above / _DRAIN_SECONDS) / SERVICE_RATE
    at_least, at_most = math.ceil(busy - _HYSTERESIS), math.ceil(busy + _HYSTERESIS)
    if at_least > load.replicas or load.utilisation > BARRIER_HIGH:
        return _within_limits(max(at_least, load.replicas))
    return _within_limits(min(at_most, load.replicas))


RULES: dict[ScalingRule, Callable[[Load], int]] = {"original": original, "predictive": predictive}


def production_rate(target: int, utilisation: float, stored: float, capacity: int, producers: int) -> float:
    """Return the rate for each producer, in samples a second, that brings the queue to its target utilisation.

    Both utilisations are in percent; a target of 0 stops the producers, 100 lets them run at full rate. `stored` is
    what the processors work off, in samples a second.
    """
    if target == 0 or producers == 0:
        return 0.0
    if target == 100:
        return RATE_LIMIT
    missing = (target - utilisation) / 100 * capacity
    return min(RATE_LIMIT, max(0.0, (stored + missing / _CORRECTION_SECONDS) / producers))


def split(replicas: int, controllers: Sequence[str]) -> dict[str, int]:
    """Share replicas out evenly; what does not divide goes to the first controllers."""
    each, more = divmod(replicas, len(controllers))
    return {name: each + (index < more) for index, name in enumerate(controllers)}


def _within_limits(replicas: int) -> int:
    return min(MAX_PROCESSORS, max(_MIN_PROCESSORS, replicas))


@dataclass(slots=True)
class ScalingController:
    """Scales processors and producers for as long as this coordinator is the leader."""

    settings: Settings
    election: LeaderElection
    cluster: Cluster
    # Time and utilisation of the last decision.
    _measured: tuple[float, float] | None = None

    def status(self) -> Scaling:
        """Return the requested and actual numbers now."""
        return Scaling(
            rule=self.settings.rule,
            coordinator=self.election.leader,
            preferred_utilisation=self.election.target_utilisation,
            producer_kind=self.election.producer_mode,
            processors=self.cluster.scale(*self.settings.processors),
            producers=self.cluster.scale(_PRODUCERS),
        )

    async def act(self, overview: Overview, producers: Sequence[Producer]) -> None:
        """Set the producers' mode and, unless scaling is manual, their rate and the number of processors."""
        election, now = self.election, overview.now
        if election.is_leader:
            await call_all([producer.set_kind(election.producer_mode) for producer in producers], _TIMEOUT)
        if self.settings.rule == "manual":
            return
        # Without a queue there is nothing to go by, and a slope over the gap means nothing.
        capacity = overview.accounting.capacity if overview.accounting else 0
        if not election.is_leader or not capacity:
            self._measured = None
            return
        rate = production_rate(election.target_utilisation, now.utilisation, now.stored, capacity, len(producers))
        await call_all([producer.set_rate(rate) for producer in producers], _TIMEOUT)
        try:
            await self._decide(RULES[self.settings.rule], now, capacity)
        except KubernetesError as error:
            _logger.warning("processors cannot be scaled: %s", error)

    async def scale_producers(self, number: int) -> None:
        """Request a number of producers; raises NotLeaderError or KubernetesError."""
        self.election.require()
        await self.cluster.request(_PRODUCERS, number, "dashboard")
        _logger.info("producers: %d requested", number)

    async def set_target_utilisation(self, percent: int) -> None:
        """Aim at another utilisation of the queue; raises ValueError where scaling is manual, as scale_producers."""
        if self.settings.rule == "manual":
            raise ValueError("scaling is manual here, and the producers' rate is fixed")
        await self.election.annotate(TARGET_UTILISATION, str(percent))
        _logger.info("target utilisation: %d %%", percent)

    async def set_producer_mode(self, mode: ProducerMode) -> None:
        """Have the producers spread their batches otherwise; raises what scale_producers does."""
        await self.election.annotate(PRODUCER_MODE, mode)
        _logger.info("producers: %s", mode)

    async def _decide(self, rule: Callable[[Load], int], now: DataPoint, capacity: int) -> None:
        """Apply the rule once in a period, for the first time as soon as there is something to see."""
        clock, before = time.monotonic(), self._measured
        if before and clock - before[0] < PERIOD_SECONDS - _TOLERANCE:
            return
        scale = self.cluster.scale(*self.settings.processors)
        if not scale:
            return
        self._measured = clock, now.utilisation
        slope = (now.utilisation - before[1]) / (clock - before[0]) if before else 0.0
        desired = rule(Load(now.utilisation, slope, scale.requested, now.produced, capacity))
        why = f"utilisation {now.utilisation:.1f} %, slope {slope:.1f} %/s, {now.produced:.0f} samples/s arrive"
        if desired != scale.requested:
            _logger.info("processors: %d requested, not %d: %s", desired, scale.requested, why)
        for name, replicas in split(desired, self.settings.processors).items():
            if self.election.is_leader:
                await self.cluster.request(name, replicas, "rule", why)


async def call_all(calls: Iterable[Coroutine[Any, Any, _T]], seconds: float) -> list[_T]:
    """Make remote calls side by side, and return the results that come in time."""

    async def call(coroutine: Coroutine[Any, Any, _T]) -> _T | None:
        with suppress(RemoteError, TimeoutError):
            async with asyncio.timeout(seconds):
                return await coroutine
        return None

    return [result for result in await asyncio.gather(*map(call, calls)) if result is not None]
