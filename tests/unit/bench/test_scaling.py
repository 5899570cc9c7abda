"""What the user guide says of the two rules comes from this benchmark, and its picture too."""

from bench.drawing import draw
from bench.scaling import LOADS, PICTURED, REPLAY, charts, replay, simulate
from demonstrator.bundles.coordinator.scaling import RULES
from runner.state import CHECKOUT


def test_the_predictive_rule_settles_sooner_with_fewer_changes() -> None:
    for phases in LOADS.values():
        original, predictive = simulate(phases, "original"), simulate(phases, "predictive")
        assert predictive.settled_after < original.settled_after
        assert predictive.never_settled <= original.never_settled
        assert predictive.changes < original.changes
        assert predictive.refused < original.refused


def test_the_replay_goes_up_and_down() -> None:
    requests = replay()
    assert len(requests) == len(REPLAY)
    assert max(requests) > 4
    assert requests[-1] < max(requests)


def test_the_picture_is_that_of_the_rules() -> None:
    """`python -m bench.scaling --picture docs/pictures/scaling.svg` draws it again."""
    picture = draw(charts({rule: simulate(LOADS[PICTURED], rule) for rule in RULES}))
    assert (CHECKOUT / "docs/pictures/scaling.svg").read_text() == picture
