"""The hosts that exist: whose they are, and whether they can become the declared ones.

A container's labels decide. What Vagrant notes in `.vagrant` comes along with a copy of a checkout.
"""

import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from runner.declaration import Cluster, Declaration
from runner.declaration.applied import REMAKE, Applied
from runner.errors import DeclarationError, HostsError, MachineError
from runner.machines.containers import Container, Docker
from runner.prepare import catalogue
from runner.state import CHECKOUT, State, relative_to_cwd

KUBECTL = "python -m runner kubectl --"


def check_change(cluster: Cluster, inventory: Path, state: State) -> Applied:
    """Return what `site` is to apply; raises what `check` and `Applied.check` do where no run can bring it about."""
    components = catalogue.load(CHECKOUT / "artifacts" / "catalogue.yml").components
    applied = Applied.of(cluster, inventory, {name: one.version for name, one in components.items()})
    exists = True
    if isinstance(cluster, Declaration):
        with suppress(MachineError):  # Docker is not there yet: the doctor starts it, and step hosts looks again
            exists = check(cluster, checkout=state.checkout)
    if exists:
        applied.check(state)
    return applied


def check(declaration: Declaration, *, checkout: Path = CHECKOUT) -> bool:
    """Return whether this checkout has hosts, all of which fit the declaration; nothing is changed.

    Raises:
        DeclarationError: hosts exist that are not declared, or with another provider or address.
        HostsError: this checkout was moved, or the key to its hosts is gone.
        MachineError: Docker does not answer, and may have hosts of this checkout.
    """
    machines = _machines(checkout)
    _refuse_if_moved(machines, checkout)
    own = [one for one in machines if one.checkout == checkout]
    providers = {one.name: one.provider for one in own if one.container or one.provider != "docker"}
    containers = [one.container for one in own if one.container]
    if others := sorted(name for name, provider in providers.items() if provider != declaration.provider):
        message = f"{', '.join(others)} were made by {providers[others[0]]}; now {declaration.provider} is declared."
        raise DeclarationError(message, f"Take the change back; or {REMAKE}.")
    state = State(checkout)
    if containers and not state.ssh_key.exists():
        message = f"The key to {_names(containers)} was in {relative_to_cwd(state.ssh_key.parent)}, and is gone."
        raise HostsError(message, f"Put it back there; or {REMAKE}.")
    declared = {host.name: host for host in declaration.hosts}
    if moved := [one for one in containers if one.host in declared and one.address != declared[one.host].address]:
        changes = ", ".join(f"{one.host} from {one.address} to {declared[one.host].address}" for one in moved)
        raise DeclarationError(f"Hosts keep their addresses: {changes}.", f"Take the change back; or {REMAKE}.")
    if removed := sorted(providers.keys() - declared.keys()):
        message = f"{', '.join(removed)} are hosts of the cluster and not declared any more; `site` removes no host."
        raise DeclarationError(message, _removal(declaration, removed))
    return bool(providers)


def _removal(declaration: Declaration, names: Sequence[str]) -> str:
    addresses = " ".join(str(host.address) for host in declaration.possible_hosts if host.name in names)
    steps = (
        f"`{KUBECTL} drain {addresses} --ignore-daemonsets --delete-emptydir-data`",
        f"`vagrant destroy --force {' '.join(names)}`",
        f"`{KUBECTL} delete node {addresses}`",
    )
    return f"Declare them again; to remove them, run then {', '.join(steps)}, and lower `nodes.count`."


def forget_others(checkout: Path) -> None:
    """Remove Vagrant's notes of another checkout's machines, which a copy of that checkout has too.

    Whatever calls Vagrant to change machines does this first.

    Raises:
        HostsError: this checkout was moved.
        MachineError: Docker does not answer, and may have hosts of this checkout.
    """
    machines = _machines(checkout)
    _refuse_if_moved(machines, checkout)
    for one in machines:
        if one.checkout != checkout:
            shutil.rmtree(one.notes)


@dataclass(frozen=True)
class _Machine:
    """A machine that Vagrant has noted, the checkout that made it, and its container, if it is one and there."""

    notes: Path  # .vagrant/machines/NAME/PROVIDER
    checkout: Path
    container: Container | None

    @property
    def name(self) -> str:
        return self.notes.parent.name

    @property
    def provider(self) -> str:
        return self.notes.name


def _machines(checkout: Path) -> list[_Machine]:
    """Return the machines that Vagrant has noted in a checkout; Docker is asked only if it can have one of them."""
    paths = (checkout / ".vagrant" / "machines").glob("*/*/id")
    ids = {path.parent: path.read_text("utf-8", errors="replace").strip() for path in paths}
    containers = {}
    if any(notes.name == "docker" for notes in ids):
        with Docker() as docker:
            containers = {one.id: one for one in docker.containers()}
    found = []
    for notes, machine in sorted(ids.items()):
        container = containers.get(machine)
        found.append(_Machine(notes, container.checkout if container else _last_checkout(notes, checkout), container))
    return found


def _last_checkout(notes: Path, checkout: Path) -> Path:
    """Return the checkout where Vagrant was last called for a machine, or the given one if that is not there."""
    with suppress(FileNotFoundError):
        last = Path((notes / "vagrant_cwd").read_text("utf-8", errors="replace").strip())
        return last if (last / "Vagrantfile").exists() else checkout
    return checkout


def _refuse_if_moved(machines: Sequence[_Machine], checkout: Path) -> None:
    containers = [one.container for one in machines if one.container]
    if moved := [one for one in containers if one.checkout != checkout and one.is_abandoned]:
        places = ", ".join(sorted({str(one.checkout) for one in moved}))
        raise HostsError(
            f"{_names(moved)} were made by this checkout when it was in {places}, and use files there.",
            f"Move it back; or `docker rm --force --volumes {' '.join(one.id[:12] for one in moved)}` removes them with"
            " their data, so that others can be made.",
        )


def _names(containers: Sequence[Container]) -> str:
    return ", ".join(sorted(one.host for one in containers))
