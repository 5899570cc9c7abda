"""Two runs in one checkout: the second says who is at work and stops."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from runner.errors import ExitCode, LockedError
from runner.state import CHECKOUT, State

HOLD = """
import sys, pathlib
from runner.state import State
with State(pathlib.Path(sys.argv[1])).locked():
    print("held", flush=True)
    sys.stdin.read()
"""


def holder(state: Path) -> "subprocess.Popen[str]":
    run = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(state)],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert run.stdout
    assert run.stdout.readline() == "held\n"
    return run


def test_the_second_run_is_told_of_the_first(tmp_path: Path) -> None:
    with holder(tmp_path) as first:
        with pytest.raises(LockedError, match=f"process {first.pid}, since 20") as caught, State(tmp_path).locked():
            pass
        first.communicate()
    assert caught.value.exit_code == ExitCode.LOCKED


def test_a_run_that_ended_or_was_killed_holds_nothing(tmp_path: Path) -> None:
    with holder(tmp_path) as first:
        first.send_signal(signal.SIGKILL)
        first.communicate()
    with State(tmp_path).locked():
        who = json.loads((State(tmp_path).directory / "lock").read_text(encoding="utf-8"))
    assert who["pid"] != first.pid


def test_another_checkout_is_another_lock(tmp_path: Path) -> None:
    with State(tmp_path / "one").locked(), State(tmp_path / "two").locked():
        pass


def test_a_first_run_makes_the_state_directory_private(tmp_path: Path) -> None:
    with State(tmp_path).locked():
        assert State(tmp_path).directory.stat().st_mode & 0o777 == 0o700
