"""The user guide's figures and picture of the two rules come from this benchmark."""

import re
from xml.etree import ElementTree as ET

import pytest

from bench.drawing import HEIGHT
from bench.scaling import LOADS, PICTURED, REPLAY, charts, replay, simulate
from demonstrator.bundles.coordinator.scaling import RULES
from runner.state import CHECKOUT

SVG = "{http://www.w3.org/2000/svg}"


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
    expected = charts({rule: simulate(LOADS[PICTURED], rule) for rule in RULES})
    drawn = drawn_charts((CHECKOUT / "docs/pictures/scaling.svg").read_text())
    assert [title for title, _ in drawn] == [chart.title for chart in expected]
    for (title, values), chart in zip(drawn, expected, strict=True):
        assert values == pytest.approx(list(chart.line.values), abs=chart.top / 100), title


def drawn_charts(picture: str) -> list[tuple[str, list[float]]]:
    """Read the title of each chart and the values of its curve from a picture."""
    found = []
    for group in ET.fromstring(picture).iter(f"{SVG}g"):
        texts = [element.text or "" for element in group.iter(f"{SVG}text")]
        top = float(texts[3])  # after the title, 0, and the middle
        curve = next(path.attrib["d"] for path in group.iter(f"{SVG}path") if path.get("fill") == "none")
        # "M" and "L" are followed by x and y, "V" by y.
        heights = re.findall(r"(?:[ML][\d.]+ |V)([\d.]+)", curve)
        found.append((texts[0], [top * (1 - float(height) / HEIGHT) for height in heights]))
    return found
