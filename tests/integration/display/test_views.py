"""Outputs of a run: a pipe, a terminal, JSON for programs, and the log of the run."""

import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from runner.display.board import Board
from runner.display.views import JsonView, live_view, plain_view
from runner.events import Event, Progress, StepFinished, StepStarted, TaskFinished
from runner.run import run_session
from runner.state import CHECKOUT, MAX_RUNS, State
from tests.support.polling import wait_until

RUN: list[Event] = [
    StepStarted("roles"),
    Progress("roles", "node-1", "host : Set kernel values"),
    TaskFinished("node-1", "host", "Set kernel values", "changed", 0.5),
    StepFinished("roles", 0.7, "ok", "changed=1 on 1 host"),
]

SHOW = """
from runner.display import choose_view
from runner.events import *
with choose_view(as_events=False, verbose=True) as view:
    view.report(StepStarted("roles"))
    view.report(Progress("roles", "node-1", "host : Set kernel values"))
    import time; time.sleep(0.3)
    view.report(TaskFinished("node-1", "host", "Set kernel values", "changed", 0.5))
    view.report(StepFinished("roles", 0.7, "ok"))
"""


def test_plain_lines_without_escapes() -> None:
    written = io.StringIO()
    with plain_view(Console(file=written, width=20), Board()) as view:
        for event in RUN:
            view.report(event)
    assert written.getvalue().splitlines() == [
        "roles",
        "  host                 0.5 s  changed=1 on 1 host",
        "roles                  0.7 s  changed=1 on 1 host",
    ]


def test_plain_view_speaks_during_a_long_task() -> None:
    written = io.StringIO()
    with plain_view(Console(file=written), Board(), heartbeat_interval=0.1) as view:
        view.report(RUN[0])
        view.report(RUN[1])
        wait_until(written.getvalue, "a line says that the task goes on", lambda text: "…" in text, seconds=30)
    assert "node-1: host : Set kernel values" in written.getvalue()


def test_json_is_one_event_a_line() -> None:
    written = io.StringIO()
    view = JsonView(Console(file=written, width=20), Board())
    for event in RUN:
        view.report(event)
    events = [json.loads(line) for line in written.getvalue().splitlines()]
    assert [event["event"] for event in events] == ["StepStarted", "Progress", "TaskFinished", "StepFinished"]
    assert all(event.pop("time") for event in events)
    assert events[2] == {
        "event": "TaskFinished",
        "host": "node-1",
        "role": "host",
        "task": "Set kernel values",
        "status": "changed",
        "seconds": 0.5,
    }


def test_live_view_draws_and_leaves_only_what_ended() -> None:
    written = io.StringIO()
    terminal = Console(file=written, force_terminal=True, width=60, height=20, color_system=None)
    with live_view(terminal, Board()) as view:
        for event in RUN:
            view.report(event)
    assert "changed=1 on 1 host" in written.getvalue()
    assert "\x1b[2K" in written.getvalue()  # the live lines were erased


@pytest.mark.parametrize(
    ("variables", "escape"),
    [({"TERM": "xterm"}, "\x1b[33m"), ({"TERM": "xterm", "NO_COLOR": "1"}, "\x1b[2K"), ({"TERM": "dumb"}, None)],
    ids=["colours", "NO_COLOR", "dumb"],
)
def test_on_a_real_terminal(variables: dict[str, str], escape: str | None) -> None:
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    master, slave = pty.openpty()
    child = subprocess.Popen([sys.executable, "-c", SHOW], cwd=CHECKOUT, env={**kept, **variables}, stdout=slave)
    os.close(slave)
    shown = b""
    try:
        while part := os.read(master, 4096):
            shown += part
    except OSError:  # how Linux says that the other end is closed
        pass
    os.close(master)
    assert child.wait() == 0
    text = shown.decode()
    assert "changed" in text
    if escape is None:
        assert "\x1b" not in text
    else:
        assert escape in text
    assert ("\x1b[33m" in text) == (escape == "\x1b[33m")


def test_a_run_logs_its_events_and_only_the_latest_runs_stay(tmp_path: Path) -> None:
    state = State(tmp_path)
    for _ in range(MAX_RUNS + 3):
        with run_session(state, as_events=False, verbose=False) as run:
            run.report(RUN[0])
    kept = sorted(state.runs.iterdir())
    assert len(kept) == MAX_RUNS
    assert run.directory in kept
    assert json.loads((run.directory / "events.jsonl").read_text())["event"] == "StepStarted"
    assert state.runs.stat().st_mode & 0o777 == 0o700
