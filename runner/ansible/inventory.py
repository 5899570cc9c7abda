"""Inventories: that of the declared cluster, which inventory/vagrant.py prints, and what a person's own one says."""

import json
import os
import shlex
from collections.abc import Mapping
from operator import itemgetter
from pathlib import Path
from typing import Any

from runner import process
from runner.ansible.play import ansible_environment
from runner.declaration import Declaration, Host, OwnMachines
from runner.declaration.own import EXAMPLE
from runner.errors import DeclarationError
from runner.machines import SshTarget
from runner.state import CHECKOUT

GROUPS = ("control_plane", "workers")
CONNECTION = ("host", "port", "user", "ssh_private_key_file", "ssh_common_args")


def build_inventory(declaration: Declaration, targets: Mapping[str, SshTarget]) -> dict[str, dict[str, Any]]:
    """Return the declared hosts with their groups and variables, as `--list` of an inventory script prints them.

    A host that is not up stays in the inventory, since the other hosts need its name and address.
    """
    names = [host.name for host in declaration.hosts]
    return {
        "_meta": {"hostvars": {host.name: _host(host, targets.get(host.name)) for host in declaration.hosts}},
        "cluster": {
            "children": ["control_plane", "workers", "etcd"],
            "vars": {
                "cluster_name": declaration.name,
                "cluster_provider": declaration.provider,
                "cluster_pod_network": str(declaration.pod_network),
                "cluster_service_network": str(declaration.service_network),
            },
        },
        "control_plane": {"hosts": names[:1]},
        "workers": {"hosts": names[1:]},
        "etcd": {"children": ["control_plane"]},
    }


def _host(host: Host, target: SshTarget | None) -> dict[str, Any]:
    if target is None:
        # Without an address Ansible would ask a name server for the host; this shows the cause.
        unreachable_hint = f"ProxyCommand=echo {host.name} is not up: see vagrant status >&2; exit 1"
        return _declared(host) | {"ansible_ssh_common_args": shlex.join(["-o", unreachable_hint])}
    return _declared(host) | {
        "ansible_host": target.address,
        "ansible_port": target.port,
        "ansible_user": target.user,
        "ansible_ssh_private_key_file": str(target.key),
        "ansible_ssh_common_args": shlex.join(part for option in target.options for part in ("-o", option)),
    }


def _declared(host: Host) -> dict[str, Any]:
    return {
        "cluster_address": str(host.address),
        "cluster_cpus": host.cpus,
        "cluster_memory_mib": host.memory,
    }


def read_inventory(path: Path, vault_password_file: Path | None = None) -> OwnMachines:
    """Return the machines of a person's inventory as Ansible understands it, with values for templates and defaults.

    Raises:
        DeclarationError: Ansible cannot read it, or there can be no such cluster.
    """
    networks = {name: f"{{{{ cluster_{name} }}}}" for name in ("name", "pod_network", "service_network")}
    machine = {
        "name": "{{ inventory_hostname }}",
        "address": "{{ cluster_address }}",
        "cpus": "{{ cluster_cpus }}",
        "memory": "{{ cluster_memory_mib }}",
        "group": f"{{{{ group_names | intersect({GROUPS}) | join }}}}",
        "connection": {f"ansible_{name}": f"{{{{ ansible_{name} | default('') }}}}" for name in CONNECTION},
    }
    message = json.dumps({"msg": networks | {"machine": machine}})
    # No machine is contacted: Ansible answers this itself.
    command = [
        "ansible",
        "cluster",
        "--inventory",
        str(path),
        "--one-line",
        "-m",
        "ansible.builtin.debug",
        "-a",
        message,
    ]
    vault = {"ANSIBLE_VAULT_PASSWORD_FILE": str(vault_password_file)} if vault_password_file else {}
    try:
        output = process.run(command, cwd=CHECKOUT, env={**os.environ, **ansible_environment(), **vault})
    except process.CommandError as error:
        raise DeclarationError(f"Ansible cannot make a cluster of {path}.", details=error.output) from None
    told = [json.loads(line.partition(" => ")[2])["msg"] for line in output.splitlines()]
    if not told:
        raise DeclarationError(f"The inventory {path} has no machine in a group cluster.", EXAMPLE)
    machines = sorted((one.pop("machine") for one in told), key=itemgetter("group", "name"))
    return OwnMachines.parse(path, told[0] | {"machines": {one["name"]: one for one in machines}})


def render_inventory(cluster: OwnMachines) -> dict[str, Any]:
    """Return a person's inventory with values for templates and defaults, as far as `read_inventory` asked for them."""
    children: dict[str, Any] = {group: {"hosts": {}} for group in GROUPS} | {"etcd": {"children": {GROUPS[0]: {}}}}
    for one in cluster.machines.values():
        reached = {name: value for name, value in one.connection.items() if value != ""}
        children[one.group]["hosts"][one.name] = _declared(one) | reached
    networks = {f"cluster_{name}": str(getattr(cluster, name)) for name in ("pod_network", "service_network")}
    return {"cluster": {"vars": networks, "children": children}}
