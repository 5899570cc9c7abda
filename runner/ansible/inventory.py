"""The Ansible inventory of the declared cluster; inventory/vagrant.py prints it."""

import shlex
from collections.abc import Mapping
from typing import Any

from runner.declaration import Declaration, Host
from runner.machines import SshTarget
from runner.prepare import ReleaseManifest
from runner.state import State


def build_inventory(
    declaration: Declaration, targets: Mapping[str, SshTarget], release: ReleaseManifest, state: State
) -> dict[str, dict[str, Any]]:
    """Return the declared hosts with their groups and variables, as `--list` of an inventory script prints them.

    A host that is not up stays in the inventory, since the other hosts need its name and address.
    """
    names = [host.name for host in declaration.hosts]
    return {
        "_meta": {"hostvars": {host.name: _host(host, targets.get(host.name)) for host in declaration.hosts}},
        "all": {
            "children": ["controller", "nodes", "etcd"],
            "vars": {
                "cluster_name": declaration.name,
                "cluster_provider": declaration.provider,
                "cluster_network": str(declaration.network),
                "cluster_pod_network": str(declaration.pod_network),
                "cluster_service_network": str(declaration.service_network),
                "cluster_state_dir": str(state.directory),
                "cluster_release_id": release.id,
                "cluster_release_dir": str(release.directory),
                # The Vagrantfile mounts the releases into containers; virtual machines get copies.
                "cluster_release_mounted": declaration.provider == "docker",
                "cluster_binaries": release.binaries,
                "cluster_images": release.images,
            },
        },
        "controller": {"hosts": names[:1]},
        "nodes": {"hosts": names[1:]},
        "etcd": {"hosts": names[:1]},
    }


def _host(host: Host, target: SshTarget | None) -> dict[str, Any]:
    facts = {
        "cluster_address": str(host.address),
        "cluster_cpus": host.cpus,
        "cluster_memory_mib": host.memory,
        "ansible_python_interpreter": "/usr/bin/python3",
    }
    if target is None:
        # Without an address Ansible would ask a name server for the host; this shows the cause.
        unreachable_hint = f"ProxyCommand=echo {host.name} is not up: see vagrant status >&2; exit 1"
        return facts | {"ansible_ssh_common_args": shlex.join(["-F", "none", "-o", unreachable_hint])}
    return facts | {
        "ansible_host": target.address,
        "ansible_port": target.port,
        "ansible_user": target.user,
        "ansible_ssh_common_args": shlex.join(target.arguments),
    }
