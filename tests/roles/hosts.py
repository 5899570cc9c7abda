"""The hosts of one scenario: raised, brought to what roles say, tested and removed."""

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from runner.ansible import PlaybookOptions, build_inventory, run_playbook
from runner.ansible.inventory import ask_endpoints
from runner.declaration import pki
from runner.errors import RunnerError
from runner.events import Event, TaskFinished
from runner.machines import hosts as machines
from runner.state import CHECKOUT, State
from runner.verify import TESTS, run_pytest
from tests.machines.checkout import Checkout
from tests.roles.scenarios import Scenario

NETWORK = "172.31.253"  # beside whatever cluster runs, and beside tests/machines
SITE = CHECKOUT / "playbooks" / "site.yml"
USED = """
cut --characters=67- /run/{unit}.service.sums | xargs readlink --canonicalize
pid=$(systemctl show --property=MainPID --value {unit}.service)
[ $pid = 0 ] && exit
tr '\\0' '\\n' </proc/$pid/cmdline
readlink /proc/$pid/fd/* | grep ^/
ss --no-header --listening --tcp --udp --numeric --processes | grep pid=$pid, | awk '{{ print $5 }}'
"""


class Hosts:
    """The hosts of one scenario."""

    def __init__(self, scenario: Scenario, directory: Path) -> None:
        self.scenario = scenario
        self._directory = directory
        self._checkout = Checkout.make(directory / "checkout", network=NETWORK)
        self._state = State(self._checkout.directory)
        self._inventory = directory / "inventory" / "hosts.sh"
        (directory / "inventory" / "host_vars").mkdir(parents=True)
        (directory / "group_vars").symlink_to(CHECKOUT / "group_vars")  # beside the playbook of the role's parts

    def up(self) -> None:
        """Raise the hosts."""
        self._checkout.up(*self.scenario.hosts)

    def destroy(self) -> None:
        """Remove the hosts, as far as there are any."""
        self._checkout.destroy()

    def declare(self, variables: Mapping[str, Any]) -> None:
        """Give every host these variables, for roles, certificates and tests alike."""
        targets = machines.ssh_config(self._checkout.declared, checkout=self._checkout.directory)
        described = build_inventory(self._checkout.declared, targets)
        self._inventory.write_text(f"#!/bin/sh\ncat <<'EOF'\n{json.dumps(described)}\nEOF\n", "utf-8")
        self._inventory.chmod(0o700)
        for host in described["_meta"]["hostvars"]:  # a file wins over the group_vars of the project
            path = self._inventory.parent / "host_vars" / f"{host}.yml"
            path.write_text(yaml.safe_dump({"cluster_state_dir": str(self._state.directory), **variables}), "utf-8")
        pki.ensure(self._checkout.declared, ask_endpoints(self._inventory), self._state)

    def converge(self, *roles: str, check: bool = False) -> list[str]:
        """Run these roles as the site does, and return the tasks that changed something."""
        return self._play(str(SITE), roles, check=check)

    def converge_by_parts(self) -> list[str]:
        """Run each task file of the role by itself, in its order, and return the tasks that changed something."""
        role = self.scenario.role
        site = yaml.safe_load(SITE.read_text("utf-8"))
        play = next(one for one in site if role in [entry["role"] for entry in one["roles"]])
        tasks = yaml.safe_load((CHECKOUT / "roles" / role / "tasks" / "main.yml").read_text("utf-8"))
        parts = [task["ansible.builtin.import_tasks"].removesuffix(".yml") for task in tasks]
        plays = [
            {name: value for name, value in play.items() if name != "roles"}
            | {"tasks": [{"name": part, "ansible.builtin.include_role": {"name": role, "tasks_from": part}}]}
            for part in parts
        ]
        path = self._directory / "parts.yml"
        path.write_text(yaml.safe_dump(plays, sort_keys=False), "utf-8")
        return self._play(str(path))

    def verify(self) -> None:
        """Run the tests of tests/hosts that concern the role; pytest writes to this process's output."""
        scenario = self.scenario
        on_hosts = " or ".join(f"//{host}{end}" for host in scenario.hosts for end in ("]", "-"))
        of_units = " or ".join(["not test_services", *(f"-{unit}]" for unit in scenario.units)])
        arguments = ["-k", f"({on_hosts}) and ({of_units})", "--quiet"]
        arguments += [f"--deselect={TESTS}/{test}" for test in scenario.without]
        arguments += [f"{TESTS}/{test}" for test in (*scenario.tests, "test_services.py")]
        run_pytest(self._inventory, *arguments)

    def used(self) -> str:
        """Return what the role's services run with: their arguments, files and ports, a line each."""
        return "\n".join(self._on(host, USED.format(unit=unit)) for host, unit in self.started())

    def started(self) -> dict[tuple[str, str], str]:
        """Return the identity of the current start of each unit of the role, by host and unit."""
        shown = {
            (host, unit): self._on(host, f"systemctl show --property=InvocationID --value {unit}.service")
            for host in self.scenario.hosts
            for unit in self.scenario.units
        }
        return {key: start for key, start in shown.items() if start}

    def _on(self, host: str, command: str) -> str:
        return self._checkout.on(host, f"sudo sh -c {shlex.quote(command)}")

    def _play(self, playbook: str, tags: Sequence[str] = (), *, check: bool = False) -> list[str]:
        events: list[Event] = []
        options = PlaybookOptions(
            playbook, tags=tags, limit=",".join(self.scenario.hosts), check=check, inventory=self._inventory
        )
        try:
            run_playbook(options, events.append)
        except RunnerError as error:
            raise AssertionError("\n".join(filter(None, (error.message, error.details)))) from None
        finished = [event for event in events if isinstance(event, TaskFinished)]
        return [f"{one.host}: {one.role} : {one.task}" for one in finished if one.status == "changed"]
