"""A cluster on machines of a person's own: what their inventory says, validated as the declaration is."""

from dataclasses import dataclass
from typing import Any, Self

from pydantic import model_validator

from runner.declaration.model import Cluster, Endpoints, Host


@dataclass(frozen=True)
class Machine(Host):
    """A machine with its groups, how Ansible reaches it, and the servers on it if it is the controller."""

    groups: list[str]
    connection: dict[str, Any]
    endpoints: Endpoints | None


class OwnMachines(Cluster):
    """The cluster that an inventory describes; machines by name, in the order of Cluster.hosts."""

    machines: dict[str, Machine]

    @property
    def hosts(self) -> tuple[Host, ...]:
        """All machines, the controller first."""
        return tuple(self.machines.values())

    @property
    def groups(self) -> dict[str, list[str]]:
        """The groups of the inventory as well."""
        own: dict[str, list[str]] = {}
        for machine in self.machines.values():
            for group in machine.groups:
                own.setdefault(group, []).append(machine.name)
        return own | super().groups

    @property
    def endpoints(self) -> Endpoints:
        """The servers on the controller."""
        return next(machine.endpoints for machine in self.machines.values() if machine.endpoints)

    @model_validator(mode="after")
    def _check_machines(self) -> Self:
        if [host.group for host in self.hosts].count("control_plane") != 1:
            raise ValueError("group control_plane must have one machine")
        first = {host.address: host.name for host in reversed(self.hosts)}
        for host in self.hosts:
            rule = f"{host.name} must not have the address {host.address}"
            if host.address in self.pod_network or host.address in self.service_network:
                raise ValueError(f"{rule}, which lies in pod_network or service_network")
            if host.name != first[host.address]:
                raise ValueError(f"{rule}, which is that of {first[host.address]}")
        return self
