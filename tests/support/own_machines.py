"""A cluster on machines of a person's own, as read from an inventory: names and addresses in no order."""

from typing import Any

from runner.declaration import OwnMachines

ADDRESSES = {"zeta": "172.31.254.77", "alpha": "172.31.254.12", "worker-b": "172.31.254.201"}
ENDPOINTS = {
    "api_url": f"https://{ADDRESSES['zeta']}:6443",
    "etcd_url": f"https://{ADDRESSES['zeta']}:2379",
    "registry": f"{ADDRESSES['zeta']}:5000",
    "domain": "cluster.local",
}


def own_machines(**changes: Any) -> OwnMachines:
    """Return the cluster, of which zeta is the controller."""
    told = {
        "name": "plant",
        "pod_network": "10.51.0.0/16",
        "service_network": "10.53.0.0/16",
        "machines": {name: machine(name) for name in ADDRESSES},
    }
    return OwnMachines.model_validate(told | changes)


def machine(name: str, **connection: Any) -> dict[str, Any]:
    """Return a machine as Ansible tells of it: with empty variables of its connection where none is given."""
    group = "control_plane" if name == "zeta" else "workers"
    names = ("host", "port", "user", "ssh_private_key_file", "ssh_common_args")
    reached = dict.fromkeys((f"ansible_{part}" for part in names), "") | connection
    address = ADDRESSES[name]
    told = {"name": name, "address": address, "cpus": 1, "memory": 1024, "group": group, "connection": reached}
    return told | {"groups": ["cluster", group], "endpoints": ENDPOINTS if name == "zeta" else None}
