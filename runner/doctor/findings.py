"""What a check found, and what the checks look at."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Literal

from runner.machines.containers import Container, Network

Grade = Literal["ok", "warning", "failure"]


@dataclass(frozen=True)
class Finding:
    """The result of one check: what was seen, and what to do about it.

    A failure stops `site`, a warning does not. What is `mendable`, `doctor --fix` does by itself.
    """

    check: str
    grade: Grade
    seen: str
    remedy: str = ""
    mendable: bool = False


@dataclass(frozen=True)
class DockerFacts:
    """What a Docker that answers says."""

    version: str
    cgroup_version: str
    root: Path
    running: int
    networks: tuple[Network, ...]
    containers: tuple[Container, ...]
    # Hosts, by id, whose checkout is gone, or was replaced by a new one at the same place
    orphans: frozenset[str]


@dataclass(frozen=True)
class Route:
    """An entry of the main routing table, without its gateway."""

    to: IPv4Network
    device: str


@dataclass(frozen=True)
class Snapshot:
    """This machine, as far as a run depends on it; the checks see nothing else."""

    checkout: Path
    # Why Docker does not answer stands in the place of what it says.
    docker: DockerFacts | str
    docker_settings: str | None
    routes: tuple[Route, ...]
    listening: frozenset[int]
    cpus: int
    memory_mib: int
    # Free space in GiB, by what it is needed for
    disk_gib: Mapping[Path, float]
    cache: Path
    prepared: bool
    inotify: Mapping[str, int]
    cgroup_controllers: frozenset[str]
    bridge_filter: bool
    overlay: bool
    vxlan: bool
    vagrant: str | None
    vagrant_plugins: str
    virtualbox: str | None
    virtualbox_ranges: tuple[IPv4Network, ...]

    @property
    def networks(self) -> tuple[Network, ...]:
        """Docker's networks; none while it does not answer."""
        return () if isinstance(self.docker, str) else self.docker.networks

    @property
    def containers(self) -> tuple[Container, ...]:
        """The project's hosts that are containers, of every checkout."""
        return () if isinstance(self.docker, str) else self.docker.containers

    @property
    def orphans(self) -> tuple[Container, ...]:
        """Hosts that no checkout knows any more."""
        return () if isinstance(self.docker, str) else tuple(o for o in self.containers if o.id in self.docker.orphans)

    @property
    def own_running(self) -> tuple[Container, ...]:
        """The hosts of this checkout that run."""
        return tuple(
            one for one in self.containers if one.running and one.checkout == self.checkout and one not in self.orphans
        )
