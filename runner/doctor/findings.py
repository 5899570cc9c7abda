"""The finding of a check, and the snapshot of the machine that checks look at."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, Literal

from rich.text import Text

from runner.display.lines import BAD, CHANGE, GOOD
from runner.machines import Container, Network

Severity = Literal["ok", "warning", "failure"]

SEVERITY_STYLES = {"ok": GOOD, "warning": CHANGE, "failure": BAD}
DAEMON_JSON = Path("/etc/docker/daemon.json")


@dataclass(frozen=True)
class Finding:
    """The result of one check: what was observed, and what to do about it.

    A failure stops `site`, a warning does not. `doctor --fix` applies the remedy of a `fixable` one.
    """

    check: str
    severity: Severity
    observed: str
    remedy: str = ""
    fixable: bool = False

    def as_lines(self) -> list[Text]:
        """Return the lines that `doctor` prints, with the remedy unless all is well."""
        lines = [
            Text.assemble((f"{self.severity:<9}", SEVERITY_STYLES[self.severity]), f"{self.check}: {self.observed}")
        ]
        if self.severity != "ok":
            hint = " (`python -m runner doctor --fix` does it)" if self.fixable else ""
            lines.append(Text(f"{'':<9}{self.remedy}{hint}"))
        return lines

    def as_json(self) -> dict[str, Any]:
        """Return the members that `doctor --json` prints; users' programs read these names."""
        return {
            "check": self.check,
            "grade": self.severity,
            "seen": self.observed,
            "remedy": self.remedy,
            "mendable": self.fixable,
        }


@dataclass(frozen=True)
class DockerFacts:
    """Facts about a Docker that answers."""

    version: str
    cgroup_version: str
    root: Path
    running: int
    networks: tuple[Network, ...]
    containers: tuple[Container, ...]
    # Ids of the hosts whose checkout is not there, or was replaced by a new one at the same path
    orphans: frozenset[str]


@dataclass(frozen=True)
class Route:
    """An entry of the main routing table, without its gateway."""

    to: IPv4Network
    device: str


@dataclass(frozen=True)
class Snapshot:
    """The state of this machine that a run depends on; checks look at nothing else."""

    checkout: Path
    # A string says why Docker does not answer.
    docker: DockerFacts | str
    docker_settings: str | None
    routes: tuple[Route, ...]
    listening: frozenset[int]
    cpus: int
    memory_mib: int
    # Free space in GiB
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
        """Docker's networks; none while Docker does not answer."""
        return () if isinstance(self.docker, str) else self.docker.networks

    @property
    def containers(self) -> tuple[Container, ...]:
        """The project's hosts that are containers, of every checkout."""
        return () if isinstance(self.docker, str) else self.docker.containers

    @property
    def orphans(self) -> tuple[Container, ...]:
        """Hosts that belong to no checkout on this machine."""
        orphans: frozenset[str] = frozenset() if isinstance(self.docker, str) else self.docker.orphans
        return tuple(one for one in self.containers if one.id in orphans)

    @property
    def own_running(self) -> tuple[Container, ...]:
        """The running hosts of this checkout."""
        return tuple(
            one for one in self.containers if one.running and one.checkout == self.checkout and one not in self.orphans
        )
