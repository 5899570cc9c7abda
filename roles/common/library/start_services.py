#!/usr/bin/python
"""Start services of a host, and restart those that run with other files than it has."""

from collections.abc import Sequence
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.expectations import note

DOCUMENTATION = """
module: start_services
short_description: Start services, and restart those whose files have changed
description:
  - Each unit notes at its start the checksums of the files that its program reads only then, in C(/run/UNIT.sums)
    (C(cluster-note-files) of role host). A unit that does not run, or has a note that differs from its files, is
    restarted. So a restart that was still due when a run was cut short comes with the next one, and a file that a
    program reloads by itself restarts nothing.
  - systemd restarts them together, in the order of their C(After=). Every unit counts as started when its program
    answers (Type=notify or C(cluster-wait-for-answer)), so that this ends only when its services do.
options:
  names:
    description: Units, without C(.service).
    type: list
    elements: str
    required: true
  restart_if:
    description:
      - Shell commands by unit. A unit that runs is restarted if its command succeeds, which tells that what the unit
        did at its start has been undone since.
    type: dict
    default: {}
author: [inaetics-demo-cluster]
"""

EXAMPLES = """
- name: Start etcd
  start_services:
    names: [etcd]
"""

RETURN = """
restarted:
  description: Units that were started or restarted, in check mode those that would be.
  type: list
  elements: str
  returned: always
unit:
  description: The unit that did not start.
  type: str
  returned: on failure
"""


class Systemd:
    """systemd's units."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module

    def run(self, *command: str) -> tuple[int, str]:
        """Return a command's exit code and output."""
        code, output, errors = self.module.run_command(list(command))
        return code, (output + errors).strip()

    def properties(self, units: Sequence[str]) -> list[dict[str, str]]:
        """Return the properties of each unit."""
        names = "Id,ActiveState,UnitFileState,NeedDaemonReload"
        code, output = self.run("systemctl", "show", f"--property={names}", *units)
        if code:
            self.module.fail_json(msg=output, unit=units[0])
        return [dict(line.split("=", 1) for line in block.splitlines()) for block in output.split("\n\n")]

    def runs_with_its_files(self, unit: dict[str, str]) -> bool:
        """Tell whether a unit runs, and was started with the files that there are now."""
        if unit["ActiveState"] != "active":
            return False
        note = f"/run/{unit['Id']}.sums"
        return Path(note).exists() and self.run("sha256sum", "--status", "--check", note)[0] == 0

    def change(self, verb: str, *units: str) -> None:
        """Reload systemd, or enable or restart units, unless this is only a check; end with the unit that fails."""
        if self.module.check_mode:
            return
        code, output = self.run("systemctl", verb, *units)
        if code:
            inactive = (
                [unit["Id"] for unit in self.properties(units) if unit["ActiveState"] != "active"] if units else []
            )
            self.module.fail_json(msg=output, unit=inactive[0] if inactive else "")


def main() -> None:
    """Run the module."""
    spec = {
        "names": {"type": "list", "elements": "str", "required": True},
        "restart_if": {"type": "dict", "default": {}},
        "role": {"type": "str", "required": True},
    }
    module = AnsibleModule(spec, supports_check_mode=True)
    note(module, "services", {name: module.params[name] for name in ("names", "restart_if")})
    systemd = Systemd(module)
    units = systemd.properties([f"{name}.service" for name in module.params["names"]])
    reload_due = any(unit["NeedDaemonReload"] == "yes" for unit in units)
    tells = {f"{name}.service": command for name, command in module.params["restart_if"].items()}
    due = [
        unit["Id"]
        for unit in units
        if not systemd.runs_with_its_files(unit)
        or (unit["Id"] in tells and systemd.run("sh", "-c", tells[unit["Id"]])[0] == 0)
    ]
    disabled = [unit["Id"] for unit in units if unit["UnitFileState"] != "enabled"]
    if reload_due:
        systemd.change("daemon-reload")
    if disabled:
        systemd.change("enable", *disabled)
    if due:
        systemd.change("restart", *due)
    module.exit_json(changed=bool(reload_due or due or disabled), restarted=due)


if __name__ == "__main__":
    main()
