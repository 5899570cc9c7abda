"""Checks of networks: other users of the hosts' addresses on this machine."""

import json

from runner.declaration import Declaration
from runner.doctor.findings import DAEMON_JSON, Finding, Severity, Snapshot

DOCKER_NETWORKS = "Docker's networks"
# Docker's default bridge, apart from the demo network; runner/bootstrap.sh gives a new Docker the same.
BRIDGE = "172.31.255.1/24"
SETTINGS = f'{{\n  "bip": "{BRIDGE}"\n}}\n'
DEFAULT_NETWORK = "bridge"
CHANGE = "or change `network` and the addresses in inventory/cluster.yml"


def docker_networks(observed: Snapshot, declared: Declaration) -> Finding:
    """Check that no network of Docker's has the hosts' addresses: packets would reach the wrong one."""
    for network in observed.networks:
        for subnet in network.subnets:
            default = network.name == DEFAULT_NETWORK
            if not subnet.overlaps(declared.network) or (subnet == declared.network and not default):
                continue
            what = f"{network.name} ({subnet}) overlaps the hosts' network ({declared.network})"
            if not default:
                return Finding(DOCKER_NETWORKS, "failure", what, f"`docker network rm {network.name}`, {CHANGE}.")
            remedy = f'Put "bip": "{BRIDGE}" into {DAEMON_JSON} and restart Docker, {CHANGE}.'
            fixable = _can_restart_docker(observed)
            return Finding(DOCKER_NETWORKS, "failure", f"Docker's own {what}", remedy, fixable=fixable)
    return Finding(DOCKER_NETWORKS, "ok", f"none overlaps {declared.network}")


def addresses_free(observed: Snapshot, declared: Declaration) -> Finding:
    """Check that no other container has a host's address; only its owner may stop it."""
    check = "hosts' addresses"
    wanted = {host.address: host.name for host in declared.hosts}
    ours = {container.id for container in observed.containers}
    taken = [
        member
        for network in observed.networks
        for member in network.members
        if member.address in wanted and member.container not in ours
    ]
    if not taken:
        return Finding(check, "ok", f"{len(wanted)} addresses are free or this project's")
    names = " ".join(member.name for member in taken)
    listed = ", ".join(f"{member.name} has {member.address} ({wanted[member.address]})" for member in taken)
    return Finding(check, "failure", listed, f"`docker stop {names}`, {CHANGE}.")


def route_free(observed: Snapshot, declared: Declaration) -> Finding:
    """Check that no VPN or other network owns the hosts' addresses; nothing may be sent there before."""
    check = "routes"
    ignored = {"lo"} | {network.device for network in observed.networks}
    severity: Severity = "ok"
    text = f"{declared.network} is used by no other network"
    remedy = ""
    for route in observed.routes:
        # Docker's bridges are checked with its networks; VirtualBox's and libvirt's belong to the hosts.
        if route.device in ignored or route.device.startswith(("vboxnet", "virbr")):
            continue
        if route.to.subnet_of(declared.network) or route.to == declared.network:
            remedy = f"Leave the VPN or the network of {route.device}, {CHANGE}."
            return Finding(check, "failure", f"{route.to} goes to {route.device}", remedy)
        # Broader than /8 is a VPN that takes everything; the hosts' own route is more specific and wins.
        if route.to.supernet_of(declared.network) and route.to.prefixlen >= 8:
            severity = "warning"
            text = f"{route.to} goes to {route.device}; {declared.network} of it will go to the hosts"
            remedy = f"If you need those addresses, {CHANGE}."
    return Finding(check, severity, text, remedy)


def virtualbox_range(observed: Snapshot, declared: Declaration) -> Finding:
    """Check that VirtualBox's networks.conf allows the hosts' network."""
    check = "VirtualBox's ranges"
    if declared.provider != "virtualbox":
        return Finding(check, "ok", f"not used by provider {declared.provider}")
    listed = ", ".join(map(str, observed.virtualbox_ranges))
    if any(declared.network.subnet_of(allowed) for allowed in observed.virtualbox_ranges):
        return Finding(check, "ok", listed)
    remedy = f"`echo '* {declared.network}' | sudo tee -a /etc/vbox/networks.conf`"
    return Finding(check, "failure", f"{declared.network} is not in {listed}", remedy)


def _can_restart_docker(observed: Snapshot) -> bool:
    """Return True if Docker can be restarted safely: no containers run and daemon.json is absent or ours."""
    if isinstance(observed.docker, str) or observed.docker.running:
        return False
    try:
        return observed.docker_settings is None or json.loads(observed.docker_settings) == json.loads(SETTINGS)
    except ValueError:
        return False
