"""Why: a run that changes what is already as declared would restart services under a user's feet."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runner.state import CHECKOUT
from tests.support.cluster.site import run_site


@pytest.mark.parametrize("options", [[], ["--tags", "flannel"], ["--limit", "node-2"]])
def test_a_second_run_finds_every_host_as_it_was_left(options: list[str]) -> None:
    run = run_site(*options)
    assert run.code == 0, run.errors
    assert not any(event["event"] == "TaskFinished" for event in run.events)
    (roles,) = (event for event in run.events if event["event"] == "StepFinished" and event["step"] == "roles")
    assert roles["summary"] == "every host is as they left it"


def test_ansible_changes_nothing_on_any_host() -> None:
    run = run_site("--diff")
    assert run.code == 0, run.errors
    assert {event["host"] for event in run.events if event["event"] == "TaskFinished"} >= {"controller", "node-1"}
    assert run.changed == []
    # The roles' own notes stay as they are.
    assert not any(event["event"] == "TaskFinished" for event in run_site().events)


def test_ansible_playbook_by_hand_changes_nothing() -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    command = ["ansible-playbook", "playbooks/site.yml", "--tags=host,flannel,kube-node"]
    environment = {"PATH": path, "HOME": os.environ["HOME"], "LC_ALL": "C.UTF-8"}
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "changed=0" in done.stdout
    assert "changed=1" not in done.stdout
