"""A cluster on machines of a person's own: what their inventory says, validated as the declaration is."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pydantic import ValidationError, model_validator

from runner.declaration.model import Cluster, Host, describe
from runner.errors import DeclarationError

EXAMPLE = "inventory/static.example.yml shows what an inventory has to say."


@dataclass(frozen=True)
class Machine(Host):
    """A machine, with Ansible's variables by which it is reached."""

    connection: dict[str, Any]


class OwnMachines(Cluster):
    """The cluster that an inventory describes; machines by name, in the order of Cluster.hosts."""

    machines: dict[str, Machine]

    @classmethod
    def parse(cls, inventory: Path, told: dict[str, Any]) -> Self:
        """Return the cluster; a DeclarationError tells key, value and rule of each mistake."""
        try:
            return cls.model_validate(told)
        except ValidationError as error:
            mistakes = "\n".join(describe(detail, {}) for detail in error.errors())
            raise DeclarationError(f"The inventory {inventory} is not valid.", EXAMPLE, mistakes) from None

    @property
    def hosts(self) -> tuple[Host, ...]:
        """All machines, the controller first."""
        return tuple(self.machines.values())

    @model_validator(mode="after")
    def _check_machines(self) -> Self:
        if [host.group for host in self.hosts].count("control_plane") != 1:
            raise ValueError("group control_plane must have one machine")
        first = {host.address: host.name for host in reversed(self.hosts)}
        for host in self.hosts:
            if host.address in self.pod_network or host.address in self.service_network:
                raise ValueError(
                    f"{host.name} must have its address {host.address} outside pod_network and service_network"
                )
            if host.name != first[host.address]:
                raise ValueError(f"{host.name} must not have the address {host.address} of {first[host.address]}")
        return self
