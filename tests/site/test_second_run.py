"""Why: a run that changes what is already as declared would restart services under a user's feet."""

import json
import subprocess
import sys

from runner.state import CHECKOUT


def test_a_second_run_changes_nothing_on_any_host() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "runner", "site", "--json"], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr

    events = [json.loads(line) for line in run.stdout.splitlines()]
    tasks = [event for event in events if event["event"] == "TaskFinished"]
    changed = [f"{task['host']}: {task['role']} : {task['task']}" for task in tasks if task["status"] == "changed"]

    assert tasks
    assert changed == []
