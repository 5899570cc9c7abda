"""Notes on the host of what the modules of role common bring about, for `cluster-look` (role host)."""

import json
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

ROLES = Path("/var/lib/cluster/roles")  # cluster-look reads it


def note(module: AnsibleModule, part: str, expected: Any) -> None:
    """Keep one module's part of what its role expects on the host, unless this is only a check, or no role's task.

    If that is another than before, the role counts as not run until it has come to its end again.
    """
    role = module.params["role"]
    if module.check_mode or not role:
        return
    directory, content = ROLES / role, json.dumps(expected, sort_keys=True)
    path = directory / f"{part}.json"
    if path.exists() and path.read_text() == content:
        return
    ROLES.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.mkdir(exist_ok=True)
    (directory / "last-run.json").unlink(missing_ok=True)
    path.write_text(content)
