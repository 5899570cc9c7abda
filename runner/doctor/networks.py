"""Checks of networks: what may hold the hosts' addresses on this machine."""

import json
from pathlib import Path

from runner.declaration.model import Declaration
from runner.doctor.findings import Finding, Grade, Snapshot

DOCKER_NETWORKS = "Docker's networks"
# Docker's default bridge, apart from the demo network; runner/bootstrap.sh gives a new Docker the same.
BRIDGE = "172.31.255.1/24"
SETTINGS = f'{{\n  "bip": "{BRIDGE}"\n}}\n'
DAEMON_JSON = Path("/etc/docker/daemon.json")
DEFAULT_NETWORK = "bridge"
CHANGE = "or change `network` and the addresses in inventory/cluster.yml"


def docker_networks(seen: Snapshot, declared: Declaration) -> Finding:
    """Two networks with the same addresses on one machine: packets for a host would go astray."""
    for network in seen.networks:
        for subnet in network.subnets:
            default = network.name == DEFAULT_NETWORK
            if not subnet.overlaps(declared.network) or (subnet == declared.network and not default):
                continue
            what = f"{network.name} ({subnet}) overlaps the hosts' network ({declared.network})"
            if not default:
                return Finding(DOCKER_NETWORKS, "failure", what, f"`docker network rm {network.name}`, {CHANGE}.")
            free = _restartable(seen)
            remedy = f'Put "bip": "{BRIDGE}" into {DAEMON_JSON} and restart Docker, {CHANGE}.'
            return Finding(DOCKER_NETWORKS, "failure", f"Docker's own {what}", remedy, mendable=free)
    return Finding(DOCKER_NETWORKS, "ok", f"none overlaps {declared.network}")


def addresses_free(seen: Snapshot, declared: Declaration) -> Finding:
    """Containers of something else on the hosts' addresses; they are their owner's to stop."""
    check = "hosts' addresses"
    wanted = {host.address: host.name for host in declared.hosts}
    ours = {container.id for container in seen.containers}
    taken = [
        member
        for network in seen.networks
        for member in network.members
        if member.address in wanted and member.container not in ours
    ]
    if not taken:
        return Finding(check, "ok", f"{len(wanted)} addresses are free or this project's")
    names = " ".join(member.name for member in taken)
    listed = ", ".join(f"{member.name} has {member.address} ({wanted[member.address]})" for member in taken)
    return Finding(check, "failure", listed, f"`docker stop {names}`, {CHANGE}.")


def route_free(seen: Snapshot, declared: Declaration) -> Finding:
    """A VPN or another network that owns the hosts' addresses; looked at before anything is sent there."""
    check = "routes"
    known = {"lo"} | {network.device for network in seen.networks}
    grade: Grade = "ok"
    said = f"{declared.network} is nobody else's"
    remedy = ""
    for route in seen.routes:
        # A bridge of Docker's is judged with its network; VirtualBox's and libvirt's own are the hosts'.
        if route.device in known or route.device.startswith(("vboxnet", "virbr")):
            continue
        if route.to.subnet_of(declared.network) or route.to == declared.network:
            remedy = f"Leave the VPN or the network of {route.device}, {CHANGE}."
            return Finding(check, "failure", f"{route.to} goes to {route.device}", remedy)
        # Broader than /8 is a VPN that takes everything; the hosts' own route is more exact and wins.
        if route.to.supernet_of(declared.network) and route.to.prefixlen >= 8:
            grade, said = "warning", f"{route.to} goes to {route.device}; {declared.network} of it will be the hosts'"
            remedy = f"If you need those addresses, {CHANGE}."
    return Finding(check, grade, said, remedy)


def virtualbox_range(seen: Snapshot, declared: Declaration) -> Finding:
    """VirtualBox refuses host-only networks outside the ranges that its networks.conf allows."""
    check = "VirtualBox's ranges"
    if declared.provider != "virtualbox":
        return Finding(check, "ok", f"not used by provider {declared.provider}")
    listed = ", ".join(map(str, seen.virtualbox_ranges))
    if any(declared.network.subnet_of(allowed) for allowed in seen.virtualbox_ranges):
        return Finding(check, "ok", listed)
    remedy = f"`echo '* {declared.network}' | sudo tee -a /etc/vbox/networks.conf`"
    return Finding(check, "failure", f"{declared.network} is not in {listed}", remedy)


def _restartable(seen: Snapshot) -> bool:
    """Whether nobody minds a restart of Docker with a daemon.json that is absent or only this project's."""
    if isinstance(seen.docker, str) or seen.docker.running:
        return False
    try:
        return seen.docker_settings is None or json.loads(seen.docker_settings) == json.loads(SETTINGS)
    except ValueError:
        return False
