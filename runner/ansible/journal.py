"""The end of a unit's journal on a host, read through Ansible's connection to it."""

import os
from collections.abc import Mapping
from pathlib import Path

from runner import process
from runner.state import CHECKOUT

LINES = 20
TIMEOUT = 20.0  # seconds


def journal(host: str, unit: str, inventory: Path, environment: Mapping[str, str]) -> list[str]:
    """Return the last lines that `unit` logged on `host`, or one line with the reason why there are none."""
    arguments = f"journalctl --unit={unit} --lines={LINES} --no-pager --output=short-iso --no-hostname"
    command = ["ansible", host, "--inventory", str(inventory), "-m", "ansible.builtin.command"]
    try:
        output = process.run(
            [*command, "-a", arguments],
            cwd=CHECKOUT,
            env={**os.environ, **environment, "ANSIBLE_STRATEGY": "linear"},
            timeout=TIMEOUT,
        )
    except process.CommandError as error:
        return [f"(not available: {(error.output.splitlines() or [str(error)])[-1]})"]
    header, _, lines = output.partition("\n")
    return lines.strip().splitlines() if header.startswith(host) else [f"(not available: {header or 'no output'})"]
