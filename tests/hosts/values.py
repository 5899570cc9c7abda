"""The roles' variables as each host has them: defaults, group_vars and inventory together, rendered by Ansible."""

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from runner import environment
from runner.state import CHECKOUT

ROLES = sorted(path for path in (CHECKOUT / "roles").iterdir() if (path / "tasks" / "main.yml").exists())


def read(inventory: Path) -> dict[str, Mapping[str, Any]]:
    """Return the value of every variable that the roles specify, by host; no host is asked."""
    specs = [yaml.safe_load((role / "meta" / "argument_specs.yml").read_text("utf-8")) for role in ROLES]
    options = {name for spec in specs for name in spec["argument_specs"]["main"]["options"]}
    names = sorted(name for name in options if not name.endswith("_password"))
    run = subprocess.run(
        [
            "ansible-playbook",
            f"--inventory={inventory}",
            f"-e={json.dumps({'names': names})}",
            "playbooks/variables.yml",
        ],
        cwd=CHECKOUT,
        env=environment.of_programs() | {"ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.minimal"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    decoder = json.JSONDecoder()
    found = re.finditer(r"^(\S+) \| SUCCESS => ", run.stdout, re.MULTILINE)
    return {one[1]: decoder.raw_decode(run.stdout, one.end())[0]["msg"] for one in found}
