"""The roles' last runs on the declared hosts: a role that is given the same and finds what it left need not run.

`cluster-look` (roles/host/files) compares on the host. Roles always run on machines of a person's own, and where a
person's variables call a lookup: what they say may come from anywhere.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Self

from runner import process
from runner.ansible.inventory import PLACES, build_inventory, files_below, personal_files
from runner.ansible.play import PlaybookOptions
from runner.ansible.variables import roles_by_group
from runner.declaration import Cluster, Declaration
from runner.errors import RolesError
from runner.events import Note, Report
from runner.machines import hosts
from runner.state import CHECKOUT, State

LOOK = ("sudo", "--non-interactive", "/usr/local/sbin/cluster-look")
LOOK_SECONDS = 60.0
LOOKS_AT_ONCE = 4 * (os.cpu_count() or 1)  # with fifty hosts on two CPUs commands took longer than the 10 s of look.py
# What Ansible reads of the checkout, beside the inventory, and what Ansible it is.
SOURCES = ("ansible.cfg", "requirements.lock", "playbooks", "roles", *PLACES)


class LastRuns:
    """The last runs of the roles that a run selects, on the hosts that it selects."""

    @classmethod
    def of(cls, cluster: Cluster, options: PlaybookOptions, state: State) -> Self | None:
        """Return the last runs, or None for a run that leaves nothing out, or of hosts that only Ansible knows."""
        if options.check or options.diff or not isinstance(cluster, Declaration) or _lookups_of_a_person():
            return None
        return cls(cluster, options, state) if options.limit is None or cluster.hosts_matching(options.limit) else None

    def __init__(self, declaration: Declaration, options: PlaybookOptions, state: State) -> None:
        groups = declaration.groups
        selected = declaration.hosts_matching(options.limit) or groups["cluster"]
        self._controller = declaration.hosts[0].name
        self._targets = hosts.ssh_config(declaration)
        self._roles: dict[str, list[str]] = {}
        for group, role in roles_by_group():
            for host in groups[group] if role in (options.tags or [role]) else ():
                if host in selected:
                    self._roles.setdefault(host, []).append(role)
        self._outdated: list[str] = []
        self._inputs = {host: digest_of_inputs(declaration, host, options, state) for host in self._roles}

    def outdated(self, report: Report) -> list[str]:
        """Return the hosts on which a role has to run; if the controller is one, all, since nodes depend on it.

        Raises RolesError if none of the hosts has one of the roles.
        """
        if not self._roles:
            raise RolesError(
                "None of these hosts has such a role.", "See playbooks/site.yml for the roles of each group."
            )
        answers = self._run({host: [*LOOK, self._inputs[host], *roles] for host, roles in self._roles.items()})
        found = [host for host, answer in answers.items() if answer != ""]
        for host in found:
            for line in (answers[host] or "").splitlines():  # nothing from a new host
                role, _, changed = line.partition(" ")
                if changed:
                    report(Note("roles", f"{host}: {role}: {changed}"))
        self._outdated = list(self._roles) if self._controller in found else found
        return self._outdated

    def note(self) -> None:
        """Note that the roles have been run to their end on the hosts that were outdated."""
        self._run({host: [*LOOK, "--note", self._inputs[host], *self._roles[host]] for host in self._outdated})

    def _run(self, commands: dict[str, list[str]]) -> dict[str, str | None]:
        """Return what a command on each host has printed, or None where it could not be run."""
        jobs = process.JobRunner()

        def run(host: str, command: list[str]) -> str | None:
            with suppress(process.CommandError, KeyError):
                return jobs.run(self._targets[host].command(*command), timeout=LOOK_SECONDS)
            return None

        answers = jobs.run_parallel([partial(run, *item) for item in commands.items()], LOOKS_AT_ONCE)
        return dict(zip(commands, answers, strict=True))


def digest_of_inputs(declaration: Declaration, host: str, options: PlaybookOptions, state: State) -> str:
    """Return a digest of what the roles are given on a host.

    Of the other nodes that is only whether there is more than one (CoreDNS and network check, role kube-master), the
    address of the first (kube-proxy on the controller) and their networks of 256 addresses (role flannel): one more
    node changes nothing on the others.
    """
    inventory = build_inventory(declaration, {})
    variables = inventory.pop("_meta")["hostvars"]
    nodes = inventory["workers"]["hosts"]
    networks = {str(one.address).rpartition(".")[0] for one in declaration.hosts}
    of_nodes = [len(nodes) > 1, variables[nodes[0]]["cluster_address"], sorted(networks)]
    # A person's variables may read them.
    environment = {name: value for name, value in os.environ.items() if name.startswith("INAETICS_")}
    environment.pop("INAETICS_RUN", None)  # the runner's own
    given: list[Any] = [inventory["cluster"]["vars"], variables[host], of_nodes, options.extra_vars, environment]
    digest = hashlib.sha256(json.dumps(given, sort_keys=True, default=str).encode())
    names = [one.name for one in declaration.possible_hosts]  # an earlier declaration may have had more
    others = tuple(f"-{name}.{kind}" for name in names if name != host for kind in ("crt", "key"))
    for path in _files(options, state):
        if not path.name.endswith(others):  # certificates and keys
            content = path.read_bytes()
            digest.update(f"{path} {len(content)} ".encode() + content)
    return digest.hexdigest()


def _lookups_of_a_person() -> bool:
    return any(re.search(rb"\b(lookup|query|q)\(", path.read_bytes()) for path in personal_files())


def _files(options: PlaybookOptions, state: State) -> Iterator[Path]:
    """Yield the files that roles are given, in a fixed order."""
    for place in (*(CHECKOUT / name for name in SOURCES), state.pki):
        yield from [place] if place.is_file() else files_below(place)
    yield from (state.dashboard_salt, state.provisioning_token, state.release / "manifest.json", *options.extra_files)
