"""A checkout of its own for a test: the real runner, with a small playbook for this machine."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

NOT_HERE = {
    "network": "10.254.7.0/24",
    "controller": {"address": "10.254.7.20"},
    "nodes": {"count": 1, "first_address": "10.254.7.31"},
    "pod_network": "10.252.0.0/16",
    "service_network": "10.253.0.0/16",
}


@dataclass
class Checkout:
    """A copy of the runner whose declared network exists nowhere."""

    directory: Path
    mark: str  # the value of a variable by which a test knows the processes that it started

    @property
    def state(self) -> Path:
        return self.directory / ".cluster"

    def playbook(self, tasks: str) -> None:
        play = [{"name": "Play", "hosts": "all", "gather_facts": False, "tasks": yaml.safe_load(tasks)}]
        (self.directory / "playbooks" / "site.yml").write_text(yaml.safe_dump(play))

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
        return subprocess.Popen(
            [sys.executable, "-m", "runner", *arguments],
            cwd=self.directory,
            env={**kept, "XDG_CACHE_HOME": self.mark, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments, **environment)
        out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)
