"""Words of the project's texts: docstrings are phrases of the field, and prose is today's English."""

import ast
import re
import subprocess
from collections.abc import Iterator

import pytest

from runner.state import CHECKOUT

# A docstring that opens with one of these is a riddle: it names neither an action nor a thing.
QUESTIONS = {"How", "What", "Whatever", "Where", "Whether", "Which", "Who", "Whoever"}
ARCHAIC = re.compile(r"\b(anew|could not be had|shall|the seed|thereof|whoever)\b", re.IGNORECASE)
TEXTS = ("*.py", "*.md", "*.yml", "*.j2", "*.js", "*.html", "*.sh", "Makefile", "Vagrantfile")
THIS = "tests/unit/test_wording.py"


def files(*patterns: str) -> list[str]:
    listed = subprocess.run(["git", "ls-files", *patterns], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    # What is another project's, and a file whose bytes are part of an image's checksum.
    others = ("uplot/", "artifacts/go/", "artifacts/images/host/rootfs/")
    return [name for name in listed.stdout.splitlines() if name != THIS and not any(part in name for part in others)]


def docstrings(source: str) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text:
                yield getattr(node, "lineno", 1), text


def test_docstrings_open_with_a_verb_or_a_noun() -> None:
    found = [
        f"{name}:{line} {text.splitlines()[0]}"
        for name in files("*.py")
        for line, text in docstrings((CHECKOUT / name).read_text("utf-8"))
        if text.split()[0] in QUESTIONS
    ]
    assert found == []


def test_texts_are_in_modern_english() -> None:
    found = [
        f"{name}:{number} {line.strip()[:100]}"
        for name in files(*TEXTS)
        for number, line in enumerate((CHECKOUT / name).read_text("utf-8").splitlines(), 1)
        if ARCHAIC.search(line)
    ]
    assert found == []


@pytest.mark.parametrize("text", ["It was made anew.", "What shall be there"])
def test_the_check_finds_archaic_words(text: str) -> None:
    assert ARCHAIC.search(text)
