"""Inventories: that of the declared cluster, which inventory/vagrant.py prints, and what a person's own one says."""

import json
import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from runner import process
from runner.declaration import Cluster, Declaration, Endpoints, Host, OwnMachines
from runner.declaration.model import describe
from runner.errors import DeclarationError
from runner.machines import SshTarget
from runner.state import CHECKOUT, VAGRANT_INVENTORY

EXAMPLE = "inventory/static.example.yml shows what an inventory has to say."
GROUPS = ("control_plane", "workers")
DEFAULTS = CHECKOUT / "group_vars" / "cluster" / "defaults.yml"
# Where Ansible finds variables of the declared hosts beside what the inventory says of them.
PLACES = ("group_vars", "inventory/group_vars", "inventory/host_vars", "playbooks/host_vars")
VARIABLES_REMEDY = f"Correct what you have set below {', '.join(PLACES)}; group_vars/cluster/defaults.yml has examples."
# The fields of Endpoints as Ansible's variables.
ENDPOINTS = f"{{{', '.join(f'{name!r}: cluster_{name}' for name in Endpoints.model_fields)}}}"
CONNECTION = {name: f"ssh_{name}" for name in ("host", "port", "user")} | {
    "ssh_private_key_file": "private_key_file",
    "ssh_common_args": "ssh_common_args",
}


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
                "mitogen_ssh_compression": False,  # the hosts are on this machine
                "cluster_name": declaration.name,
                "cluster_provider": declaration.provider,
                "cluster_pod_network": str(declaration.pod_network),
                "cluster_service_network": str(declaration.service_network),
                # So that one more node changes nothing on the other hosts.
                "cluster_host_names": {
                    host.name: str(host.address)
                    for host in declaration.possible_hosts
                    if host.address in declaration.network
                },
            },
        },
        "control_plane": {"hosts": names[:1]},
        "workers": {"hosts": names[1:]},
        "etcd": {"children": ["control_plane"]},
    }


def _host(host: Host, target: SshTarget | None) -> dict[str, Any]:
    if target is None:
        # Without an address Ansible would ask a name server for the host; this shows the cause. By Ansible's usual
        # arguments ssh keeps connections, and hides what its proxy says.
        hint = f"ProxyCommand=sh -c 'echo {host.name} is not up: see vagrant status >&2'"
        arguments = shlex.join(["-F", "none", "-o", hint])
        return _declared(host) | {"ansible_ssh_args": "", "ansible_ssh_common_args": arguments}
    return _declared(host) | {
        "ansible_host": target.address,
        "ansible_port": target.port,
        "ansible_user": target.user,
        "ansible_ssh_common_args": shlex.join(target.arguments),
    }


def _declared(host: Host) -> dict[str, Any]:
    return {"cluster_address": str(host.address), "cluster_cpus": host.cpus, "cluster_memory_mib": host.memory}


def read_inventory(path: Path, vault_password_file: Path | None = None) -> OwnMachines:
    """Return the machines of a person's inventory, templates and defaults filled in, or raise a DeclarationError."""
    networks = {name: f"{{{{ cluster_{name} }}}}" for name in ("name", "pod_network", "service_network")}
    machine = {
        "name": "{{ inventory_hostname }}",
        "address": "{{ cluster_address }}",
        "cpus": "{{ cluster_cpus }}",
        "memory": "{{ cluster_memory_mib }}",
        "group": f"{{{{ group_names | intersect({GROUPS}) | join }}}}",
        "groups": "{{ group_names }}",
        # Each has two spellings, with and without ssh_.
        "connection": {
            f"ansible_{name}": f"{{{{ ansible_{name} | default(ansible_{other} | default('')) }}}}"
            for name, other in CONNECTION.items()
        },
        "endpoints": f"{{{{ {ENDPOINTS} if 'control_plane' in group_names else none }}}}",
    }
    with _mistakes_told(path):
        told = _ask(path, "cluster", networks | {"machine": machine}, vault_password_file)
        machines = sorted((one.pop("machine") for one in told), key=itemgetter("group", "name"))
        if not told:
            raise DeclarationError(f"The inventory {path} has no machine in a group cluster.", EXAMPLE)
        return OwnMachines.model_validate(told[0] | {"machines": {one["name"]: one for one in machines}})


def read_endpoints(cluster: Cluster, vault_password_file: Path | None = None) -> Endpoints:
    """Return where a cluster's servers are; for the declared one a user may change that in group_vars.

    Raises DeclarationError.
    """
    if isinstance(cluster, OwnMachines):
        return cluster.endpoints
    variables = yaml.safe_load(DEFAULTS.read_text("utf-8"))
    address = ("{{ cluster_controller_address }}", str(cluster.address))
    defaults = {name: variables[f"cluster_{name}"].replace(*address) for name in Endpoints.model_fields}
    # Ansible takes a second or two, and without a user's own files it would say what is known already.
    if not personal_files() and "{{" not in "".join(defaults.values()):
        return Endpoints(**defaults)
    return ask_endpoints(VAGRANT_INVENTORY, vault_password_file)


def personal_files() -> set[Path]:
    """Return the files of variables that a user has added for the declared hosts."""
    return {path for place in PLACES for path in files_below(CHECKOUT / place)} - {DEFAULTS}


def files_below(place: Path) -> list[Path]:
    """Return the files below a directory, sorted; as for Ansible, some of its directories may be links."""
    found = (Path(parent, name) for parent, _, names in os.walk(place, followlinks=True) for name in names)
    return sorted(path for path in found if path.is_file() and path.suffix != ".pyc")


def ask_endpoints(inventory: Path, vault_password_file: Path | None = None) -> Endpoints:
    """Return where Ansible finds a cluster's servers by an inventory, or raise a DeclarationError."""
    with _mistakes_told(inventory):
        return Endpoints(**_ask(inventory, "control_plane", f"{{{{ {ENDPOINTS} }}}}", vault_password_file)[0])


def _ask(inventory: Path, hosts: str, values: Any, vault_password_file: Path | None) -> list[Any]:
    """Return the values for each host, templates filled in. No host is contacted: Ansible answers this itself."""
    asked = ["--one-line", "--module-name=debug", f"--args={json.dumps({'msg': values})}"]
    vault = [f"--vault-password-file={vault_password_file}"] if vault_password_file else []
    output = process.run(["ansible", hosts, f"--inventory={inventory}", *asked, *vault], cwd=CHECKOUT)
    return [json.loads(line.partition(" => ")[2])["msg"] for line in output.splitlines()]


@contextmanager
def _mistakes_told(inventory: Path) -> Iterator[None]:
    remedy = VARIABLES_REMEDY if inventory == VAGRANT_INVENTORY else EXAMPLE
    try:
        yield
    except process.CommandError as error:
        raise DeclarationError(f"Ansible cannot read the inventory {inventory}.", remedy, error.output) from None
    except ValidationError as error:
        mistakes = "\n".join(describe(detail, {}) for detail in error.errors())
        raise DeclarationError(f"The inventory {inventory} is not valid.", remedy, mistakes) from None


def rendered(cluster: OwnMachines) -> dict[str, Any]:
    """Return the groups of a person's inventory and how each machine is reached, without templates."""
    children: dict[str, Any] = {group: {"hosts": {}} for group in GROUPS} | {"etcd": {"children": {GROUPS[0]: {}}}}
    for one in cluster.machines.values():
        reached = {name: value for name, value in one.connection.items() if value != ""}
        children[one.group]["hosts"][one.name] = reached
    return {"cluster": {"children": children}}
