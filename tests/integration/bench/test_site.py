from pathlib import Path

import pytest

from bench import site

# Stands in for the Python of another checkout: it notes what it is asked for and prints the events of a run.
PYTHON = """#!/bin/sh
echo "$PWD $*" >> "$PWD/asked"
case "$*" in
*" fail") echo "no such command" >&2; exit 2;;
*--tags*) seconds=3;;
*) seconds=20;;
esac
case "$*" in
*--json*)
    echo '{"event": "StepStarted", "step": "roles"}'
    echo '{"event": "StepFinished", "step": "hosts", "seconds": 1, "outcome": "ok"}'
    echo '{"event": "StepFinished", "step": "roles", "seconds": '$seconds', "outcome": "ok"}';;
*) echo "Removed 6 hosts";;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(PYTHON)
    python.chmod(0o700)
    return tmp_path


def test_another_checkout_is_measured_with_its_own_environment(checkout: Path) -> None:
    assert site.measure(checkout) == {
        "site: hosts": 1,
        "site: roles": 20,
        "site: total": 21,
        "unchanged second run: total": 21,
        "site --tags flannel: total": 4,
        "memory: total": 0,
    }
    asked = [line.removeprefix(f"{checkout} -m runner ") for line in (checkout / "asked").read_text().splitlines()]
    assert asked == ["destroy", "site --json", "site --json", "site --tags flannel --json"]


def test_a_command_that_fails_ends_the_measurement_with_its_words(checkout: Path) -> None:
    with pytest.raises(SystemExit, match=r"`fail` in .* ended with exit code 2:\nno such command"):
        site.run(checkout, "fail")
