"""The coordinator's history does not depend on a clock that is set back."""

from itertools import pairwise

from demonstrator.bundles.coordinator.history import History, Rates
from demonstrator.model import QueueLedger
from demonstrator.model.overview import DataPoint, Overview, Scaling


def update(rates: Rates, second: int, at: float) -> DataPoint:
    """Enter what is seen while 300 samples a second are produced, 200 stored and 50 refused."""
    ledger = QueueLedger("q.1", 10_000, 300 * second, {"s.1": 200 * second}, 50 * second, 0, 50 * second)
    return rates.update([ledger], at, 1_000.0 + second)


def overviews(*times: float) -> list[Overview]:
    rates, scaling = Rates(), Scaling("manual", "", 20, "periodic", processors=None, producers=None)
    return [Overview(update(rates, second, at), None, (), (), (), scaling) for second, at in enumerate(times)]


def test_rates_do_not_depend_on_the_wall_clock() -> None:
    points = [overview.now for overview in overviews(100.0, 101.0, 41.0, 42.0, 43.0, 500.0, 501.0)]
    assert [(point.produced, point.stored, point.refused) for point in points[1:]] == [(300.0, 200.0, 50.0)] * 6
    assert [point.at for point in points] == [100.0, 101.0, 41.0, 42.0, 43.0, 500.0, 501.0]


def test_a_history_stays_in_order_when_the_clock_is_set_back() -> None:
    history = History()
    for overview in overviews(98.0, 99.0, 100.0, 98.5, 99.5):
        history.add(overview)
    times = [overview.now.at for overview in history.overviews]
    assert times == [98.0, 98.5, 99.5]
    assert all(earlier < later for earlier, later in pairwise(times))


def test_another_queue_starts_the_rates_again() -> None:
    rates = Rates()
    update(rates, 0, 0.0)
    update(rates, 1, 1.0)
    point = rates.update([QueueLedger("o.1", 100, 5, {}, 5, 0, 0)], 2.0, 1_002.0)
    assert (point.produced, point.utilisation) == (0.0, 5.0)
