"""The roles' variables as each host has them: defaults, group_vars and inventory together, rendered by Ansible."""

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from runner import environment
from runner.state import CHECKOUT

ROLES = sorted(path for path in (CHECKOUT / "roles").iterdir() if (path / "tasks" / "main.yml").exists())
SHOW = {
    "name": "Show variables",
    "ansible.builtin.debug": {
        "msg": "{{ dict(names | zip(query('ansible.builtin.vars', *names))) }}",
    },
    "tags": ["values"],
}


def read(inventory: Path) -> dict[str, Mapping[str, Any]]:
    """Return the value of every variable that the roles specify, by host; no host is asked."""
    specs = [yaml.safe_load((role / "meta" / "argument_specs.yml").read_text("utf-8")) for role in ROLES]
    options = {name for spec in specs for name in spec["argument_specs"]["main"]["options"]}
    names = sorted(name for name in options if not name.endswith("_password"))
    # The roles are there for their defaults; of their tasks none has the tag.
    roles = [{"ansible.builtin.import_role": {"name": role.name, "rolespec_validate": False}} for role in ROLES]
    play = {"hosts": "cluster", "gather_facts": False, "vars": {"names": names}, "tasks": [*roles, SHOW]}
    with TemporaryDirectory(prefix="inaetics-values-") as directory:
        (Path(directory) / "group_vars").symlink_to(CHECKOUT / "playbooks" / "group_vars")
        playbook = Path(directory) / "values.yml"
        playbook.write_text(yaml.safe_dump([play]), "utf-8")
        run = subprocess.run(
            ["ansible-playbook", "--inventory", str(inventory), "--tags", "values", str(playbook)],
            cwd=CHECKOUT,
            env={
                **environment.of_programs(),
                "ANSIBLE_STRATEGY": "linear",
                "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.minimal",
            },
            capture_output=True,
            text=True,
            check=False,
        )
    assert run.returncode == 0, run.stdout + run.stderr
    decoder = json.JSONDecoder()
    found = re.finditer(r"^(\S+) \| SUCCESS => ", run.stdout, re.MULTILINE)
    return {one[1]: decoder.raw_decode(run.stdout, one.end())[0]["msg"] for one in found}
