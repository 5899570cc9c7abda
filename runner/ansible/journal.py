"""The end of a unit's journal on a host, read through Ansible's connection to it."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from runner.state import CHECKOUT

LINES = 20
TIMEOUT = 20.0  # seconds


def journal(host: str, unit: str, inventory: Path, environment: Mapping[str, str]) -> list[str]:
    """Return the last lines that `unit` logged on `host`, or one line with the reason why there are none."""
    arguments = f"journalctl --unit={unit} --lines={LINES} --no-pager --output=short-iso --no-hostname"
    command = ["ansible", host, "--inventory", str(inventory), "-m", "ansible.builtin.command"]
    try:
        answer = subprocess.run(
            [*command, "-a", arguments],
            cwd=CHECKOUT,
            env={**os.environ, **environment, "ANSIBLE_STRATEGY": "linear"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return [f"(not available: {error})"]
    header, _, lines = answer.stdout.partition("\n")
    if answer.returncode or not header.startswith(host):
        output = (answer.stderr or answer.stdout).strip() or "no output"
        return [f"(not available: {output.splitlines()[-1]})"]
    return lines.strip().splitlines()
