"""How many processors there should be: the original rule, and one that predicts. Pure functions."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from demonstrator.model.overview import ScalingRule
from demonstrator.model.samples import SECONDS_PER_SAMPLE

PERIOD_SECONDS = 10.0
FEWEST, MOST = 1, 8

# Utilisation in percent, and how fast it changes in percent a second.
BARRIER_LOW, BARRIER_HIGH = 10.0, 35.0
SLOPE_1, SLOPE_2 = 5.0, 10.0

# A processor waits for its queue and the data store now and then.
SERVICE_RATE = 0.95 / SECONDS_PER_SAMPLE
# What the queue holds above the upper barrier is to be worked off in this time.
DRAIN_SECONDS = 30.0
# Of a processor: load that differs by less is the same load, measured twice.
SLACK = 0.1


@dataclass(frozen=True, slots=True)
class Load:
    """What a rule decides by.

    Attributes:
        utilisation: of the queue, now, in percent.
        slope: its change over the last period, in percent a second.
        replicas: the processors asked for now.
        arriving: samples offered to the queue, a second.
        capacity: of the queue, in samples.
    """

    utilisation: float
    slope: float
    replicas: int
    arriving: float
    capacity: int


def original(utilisation: float, slope: float, replicas: int) -> int:
    """The number of processors wanted, by the rule of the original demonstrator."""
    return _allowed(replicas + _step(utilisation, slope))


def _step(utilisation: float, slope: float) -> int:
    if slope > SLOPE_2:
        return 2
    if slope > SLOPE_1:
        return 1
    if slope >= -SLOPE_1:
        return (utilisation > BARRIER_HIGH) - (utilisation < BARRIER_LOW)
    if utilisation < BARRIER_HIGH:
        return -1 if slope > -SLOPE_2 else -2
    return 0


def predictive(load: Load) -> int:
    """The number of processors that what arrives keeps busy, in one step, however many that is.

    What the queue holds above the upper barrier counts as arriving too; between the barriers the
    queue is left to take up what the load has too much or too little for a whole processor.
    """
    above = max(0.0, load.utilisation - BARRIER_HIGH) / 100 * load.capacity
    busy = (load.arriving + above / DRAIN_SECONDS) / SERVICE_RATE
    at_least, at_most = math.ceil(busy - SLACK), math.ceil(busy + SLACK)
    if at_least > load.replicas or load.utilisation > BARRIER_HIGH:
        return _allowed(max(at_least, load.replicas))
    return _allowed(min(at_most, load.replicas))


RULES: dict[ScalingRule, Callable[[Load], int]] = {
    "original": lambda load: original(load.utilisation, load.slope, load.replicas),
    "predictive": predictive,
}


def split(replicas: int, controllers: Sequence[str]) -> dict[str, int]:
    """Share replicas out evenly; what does not divide goes to the first ones."""
    each, more = divmod(replicas, len(controllers))
    return {name: each + (index < more) for index, name in enumerate(controllers)}


def _allowed(replicas: int) -> int:
    return min(MOST, max(FEWEST, replicas))
