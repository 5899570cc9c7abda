"""Runs of `python -m runner site`, as a person starts and interrupts them."""

import json
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from runner.state import CHECKOUT


@dataclass(frozen=True)
class Run:
    """A run that has ended: its exit code, its events, and what it wrote to standard error."""

    code: int
    events: list[dict[str, Any]]
    errors: str

    @property
    def changed(self) -> list[str]:
        """The tasks that changed something, or in check mode would: "node-1: kube-node : Install files"."""
        return [f"{event['host']}: {task}" for event in self.events if (task := _changing(event))]


def run_site(*arguments: str, interrupted_after: str = "") -> Run:
    """Run `site`.

    Args:
        arguments: Its options.
        interrupted_after: Send SIGINT, as Ctrl-C does, as soon as "ROLE : TASK" changed something on some host.
    """
    command = [sys.executable, "-m", "runner", "site", "--json", *arguments]
    events: list[dict[str, Any]] = []
    with subprocess.Popen(
        command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout
        assert process.stderr
        for line in process.stdout:
            event = json.loads(line)
            events.append(event)
            if interrupted_after and _changing(event) == interrupted_after:
                process.send_signal(signal.SIGINT)
        errors = process.stderr.read()
    return Run(process.returncode, events, errors)


def _changing(event: dict[str, Any]) -> str:
    """Return "ROLE : TASK" if the event says that a task changed something on a host, and else nothing."""
    changed = event["event"] == "TaskFinished" and event["status"] == "changed"
    return f"{event['role']} : {event['task']}" if changed else ""


def site(*arguments: str) -> list[str]:
    """Run `site`, which must succeed, and return the tasks that changed something as "ROLE : TASK", each once."""
    run = run_site(*arguments)
    assert run.code == 0, f"{run.errors}\n{run.events[-20:]}"
    return list(dict.fromkeys(one.split(": ", 1)[1] for one in run.changed))
