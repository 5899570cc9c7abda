"""The rules by which processors and producers are steered, at every branch and boundary."""

import itertools

import pytest

from demonstrator.bundles.coordinator.scaling import (
    RULES,
    SERVICE_RATE,
    Load,
    original,
    predictive,
    production_rate,
    split,
)
from demonstrator.bundles.coordinator.settings import Settings


@pytest.mark.parametrize(
    ("utilisation", "slope", "change"),
    [
        # Steeply up: whatever the queue holds.
        (0.0, 10.1, +2),
        (100.0, 99.0, +2),
        # Up; the upper slope itself still counts as this one.
        (0.0, 10.0, +1),
        (50.0, 5.1, +1),
        # Level, both slopes included: the barriers decide, and a barrier itself is inside the band.
        (9.9, 5.0, -1),
        (10.0, 5.0, 0),
        (35.0, 5.0, 0),
        (35.1, 5.0, +1),
        (0.0, 0.0, -1),
        (9.9, 0.0, -1),
        (10.0, 0.0, 0),
        (22.0, 0.0, 0),
        (35.0, 0.0, 0),
        (35.1, 0.0, +1),
        (9.9, -5.0, -1),
        (10.0, -5.0, 0),
        (35.0, -5.0, 0),
        (35.1, -5.0, +1),
        # Down, and not above the upper barrier.
        (34.9, -5.1, -1),
        (0.0, -9.9, -1),
        (35.0, -5.1, 0),
        (80.0, -9.9, 0),
        # Steeply down; the slope itself counts as this one.
        (34.9, -10.0, -2),
        (0.0, -50.0, -2),
        (35.0, -10.0, 0),
        (80.0, -50.0, 0),
    ],
)
def test_the_original_rule(utilisation: float, slope: float, change: int) -> None:
    assert original(Load(utilisation, slope, 4, arriving=0.0, capacity=10_000)) == 4 + change


@pytest.mark.parametrize(
    ("utilisation", "slope", "replicas", "wanted"),
    [
        (0.0, 0.0, 0, 1),  # as the application starts
        (22.0, 0.0, 0, 1),
        (0.0, 0.0, 1, 1),
        (0.0, -20.0, 2, 1),
        (0.0, -20.0, 1, 1),
        (100.0, 20.0, 7, 8),
        (100.0, 0.0, 8, 8),
        (22.0, 0.0, 20, 8),  # scaled by hand beyond the limit
    ],
)
def test_never_under_one_and_at_most_eight(utilisation: float, slope: float, replicas: int, wanted: int) -> None:
    load = Load(utilisation, slope, replicas, arriving=0.0, capacity=10_000)
    assert RULES["original"](load) == wanted


@pytest.mark.parametrize(
    ("utilisation", "replicas", "processors_busy", "wanted"),
    [
        (20.0, 1, 3.0, 3),  # at once, not one by one
        (20.0, 1, 20.0, 8),
        (20.0, 8, 2.5, 3),
        (20.0, 8, 0.0, 1),
        (20.0, 0, 0.0, 1),
        # A tenth of a processor more or less is the same load.
        (20.0, 3, 3.1, 3),
        (20.0, 3, 3.11, 4),
        (20.0, 3, 1.9, 2),
        (20.0, 3, 1.91, 3),
        # Above the barrier what is there too much counts, and nothing is taken away.
        (35.0, 3, 1.0, 2),
        (35.1, 3, 1.0, 3),
        (95.0, 3, 3.0, 4),
        (65.0, 1, 1.0, 2),
    ],
)
def test_the_predictive_rule(utilisation: float, replicas: int, processors_busy: float, wanted: int) -> None:
    load = Load(utilisation, 0.0, replicas, processors_busy * SERVICE_RATE, 10_000)
    assert predictive(load) == wanted


def test_replicas_are_split_evenly() -> None:
    both = ("inaetics-processor-controller", "inaetics-processor-celix-controller")
    for total in range(9):
        shares = split(total, both)
        assert tuple(shares) == both
        assert sum(shares.values()) == total
        assert 0 <= shares[both[0]] - shares[both[1]] <= 1
    assert split(5, both[:1]) == {both[0]: 5}


def test_the_production_rate_brings_the_queue_to_its_target() -> None:
    assert production_rate(0, 50.0, 300.0, 10_000, 2) == 0
    assert production_rate(100, 50.0, 300.0, 10_000, 2) == 1_000
    assert production_rate(50, 50.0, 300.0, 10_000, 0) == 0
    assert production_rate(50, 50.0, 600.0, 10_000, 2) == 300
    assert production_rate(50, 44.0, 600.0, 10_000, 2) == 330
    rates = [production_rate(20, utilisation, 333.0, 10_000, 1) for utilisation in range(101)]
    assert all(before >= after for before, after in itertools.pairwise(rates))
    assert rates[0] > rates[20] == 333 > rates[40]
    assert rates[100] == 0
    assert production_rate(95, 0.0, 2_000.0, 10_000, 1) == 1_000


def test_settings() -> None:
    assert Settings.read({}) == Settings("manual", ("inaetics-processor-controller",))
    given = {"SCALING_RULE": "predictive", "PROCESSOR_CONTROLLERS": "a,b"}
    assert Settings.read(given) == Settings("predictive", ("a", "b"))
    assert Settings.read({"DASHBOARD_HOSTS": "Demo.example,other"}).hosts == {"demo.example", "other"}
    for wrong in ({"SCALING_RULE": "best"}, {"PROCESSOR_CONTROLLERS": ""}, {"PROCESSOR_CONTROLLERS": "a,a"}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            Settings.read(wrong)
