"""Documents name files that exist."""

import re

from runner.state import CHECKOUT

DEMONSTRATOR = CHECKOUT / "demonstrator"
PATH = re.compile(r"[\w*]+(?:/[\w*.-]+)+\.(?:py|js|c|h)")


def test_the_picture_of_the_ways_names_files_of_the_demonstrator() -> None:
    picture = (CHECKOUT / "docs" / "pictures" / "ways.svg").read_text("utf-8")
    named = set(PATH.findall(picture))
    assert len(named) > 15
    assert [path for path in named if not list(DEMONSTRATOR.glob(path))] == []


def test_the_architecture_names_files_that_exist() -> None:
    text = (CHECKOUT / "docs" / "architecture.md").read_text("utf-8")
    named = set(re.findall(r"`((?:runner|demonstrator|bundles|remote|inventory|tests)/[\w./-]+)`", text))
    assert len(named) > 20
    missing = [path for path in named if not (CHECKOUT / path).exists() and not (DEMONSTRATOR / path).exists()]
    assert missing == []
