"""The declaration that was applied last, kept in `.cluster/applied.json`, and the changes that `site` refuses.

All others are brought about by roles: more hosts, another name of the cluster, other versions than those of UPGRADES,
and other CPUs and memory of hosts that merely see those of their machine.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ValidationError

from runner.declaration.model import NETWORKS, Cluster, Declaration
from runner.errors import DeclarationError, HostsError
from runner.state import State, relative_to_cwd, write_atomically

UPGRADES = ("kubernetes", "etcd", "containerd")  # the components that a cluster runs in one version for its life
OWN = "own machines"
REMAKE = "`python -m runner destroy` and then `python -m runner site` make it new, without its data"


class _Host(BaseModel, frozen=True, extra="forbid"):
    address: str
    group: str
    cpus: int
    memory: int


class Applied(BaseModel, frozen=True, extra="forbid"):
    """The parts of a declaration, or a person's inventory, that a cluster keeps, and the versions that it runs."""

    inventory: str
    provider: str
    networks: dict[str, str]
    hosts: dict[str, _Host]
    versions: dict[str, str]

    @classmethod
    def of(cls, cluster: Cluster, inventory: Path, versions: Mapping[str, str]) -> Self:
        """Return what `site` is about to apply, given the versions of all components."""
        return cls(
            inventory=str(inventory),
            provider=cluster.provider if isinstance(cluster, Declaration) else OWN,
            networks={name: str(getattr(cluster, name)) for name in NETWORKS if hasattr(cluster, name)},
            hosts={
                one.name: _Host(address=str(one.address), group=one.group, cpus=one.cpus, memory=one.memory)
                for one in cluster.hosts
            },
            versions={name: versions[name] for name in UPGRADES},
        )

    @classmethod
    def read(cls, state: State) -> Self | None:
        """Return what was applied last, or None where nothing is known of it."""
        try:
            return cls.model_validate_json(state.applied.read_bytes())
        except (FileNotFoundError, ValidationError):
            return None

    def write(self, state: State) -> None:
        """Keep this as what was applied last."""
        write_atomically(state.applied, self.model_dump_json(indent=2).encode())

    def check(self, state: State) -> None:
        """Return if the cluster, if there is one, can become this.

        Raises:
            DeclarationError: it cannot, since it would have to be made again.
            HostsError: its keys are gone.
        """
        before = self.read(state)
        if before is None or before.inventory != self.inventory:
            return  # another cluster's
        is_own = before.provider == OWN
        if not (state.pki / "encryption-key").exists():
            message = f"The cluster's keys and certificates are not in {relative_to_cwd(state.pki)} any more."
            raise HostsError(message, "Put them back there." if is_own else f"Put them back there; or {REMAKE}.")
        if changes := list(_changes(before, self)):
            remedy = "Take the change back; only machines on which no cluster runs can have another one."
            message = f"A cluster keeps what it was raised with: {', '.join(changes)}."
            raise DeclarationError(message, remedy if is_own else f"Take the change back; or {REMAKE}.")
        # Those that Vagrant has made are asked for: see runner/machines/existing.py.
        if is_own and (removed := [name for name in before.hosts if name not in self.hosts]):
            addresses = " ".join(before.hosts[name].address for name in removed)
            raise DeclarationError(
                f"{', '.join(removed)} of the cluster are not in {self.inventory} any more; `site` removes no host.",
                f"Put them back there; or, by hand, stop their kubelet and `python -m runner kubectl -- delete node "
                f"{addresses}`, then remove {relative_to_cwd(state.applied)}.",
            )


def _changes(before: Applied, after: Applied) -> Iterator[str]:
    """Name what only another cluster could have, each with its value before and after."""
    pairs: list[tuple[str, str, str | None]] = [("provider", before.provider, after.provider)]
    pairs += [(name, value, after.networks.get(name)) for name, value in before.networks.items()]
    fields = ["address", "group"] if before.provider in ("docker", OWN) else ["address", "group", "cpus", "memory"]
    for name in (name for name in before.hosts if name in after.hosts):
        one, other = before.hosts[name], after.hosts[name]
        pairs += [(f"{field} of {name}", getattr(one, field), getattr(other, field)) for field in fields]
    pairs += [(f"version of {name}", value, after.versions.get(name)) for name, value in before.versions.items()]
    return (f"{what} {value}, not {other}" for what, value, other in pairs if value != other)
