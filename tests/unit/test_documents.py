"""Documents name files, exit codes and commands that exist."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.cli import app
from runner.errors import ExitCode
from runner.state import CHECKOUT

DOCUMENTS = [*CHECKOUT.glob("*.md"), *(CHECKOUT / "docs").glob("*.md")]
REFERENCE = CHECKOUT / "docs" / "reference.md"

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


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_files_and_headings(document: Path) -> None:
    missing = []
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", document.read_text("utf-8")):
        name, _, heading = link.partition("#")
        target = document.parent / name if name else document
        if not target.exists() or (heading and heading not in headings(target)):
            missing.append(link)
    assert missing == []


def headings(document: Path) -> Iterator[str]:
    """The headings of a document as links name them."""
    for title in re.findall(r"^#+ (.*)$", document.read_text("utf-8"), re.MULTILINE):
        yield re.sub(r"[^\w -]", "", title).lower().replace(" ", "-")


def test_the_reference_has_every_exit_code() -> None:
    rows = re.findall(r"^\| (\d+) \|", REFERENCE.read_text("utf-8"), re.MULTILINE)
    assert [int(code) for code in rows] == [code.value for code in ExitCode]


def test_every_command_has_a_target_of_its_name_and_a_line_in_the_reference() -> None:
    commands = {command.callback.__name__ for command in app.registered_commands if command.callback}
    targets = re.findall(r"^([a-z]+):.*##", (CHECKOUT / "Makefile").read_text("utf-8"), re.MULTILINE)
    described = re.findall(r"^\| `([a-z]+)` \|", REFERENCE.read_text("utf-8"), re.MULTILINE)
    assert len(commands) > 5
    assert commands - set(targets) == set()
    assert commands == set(described)
