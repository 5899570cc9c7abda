"""The end of a unit's journal on a host, fetched with the connection that Ansible has to it."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from runner.paths import CHECKOUT

LINES = 20
TIMEOUT = 20.0  # seconds


def journal(host: str, unit: str, inventory: Path, environment: Mapping[str, str]) -> list[str]:
    """The last lines that `unit` wrote on `host`, or one line that says why there are none."""
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
        return [f"(not available: {(answer.stderr or answer.stdout).strip().splitlines()[-1:] or ['no answer']})"]
    return lines.strip().splitlines()
