"""The hosts that exist: whose they are, and whether they can become the declared ones.

A container's labels decide. What Vagrant notes in `.vagrant` comes along with a copy of a checkout.
"""

import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from runner.declaration import Declaration
from runner.declaration.applied import REMAKE
from runner.errors import DeclarationError, HostsError, MachineError
from runner.machines.containers import Container, Docker
from runner.state import CHECKOUT, State, relative_to_cwd

KUBECTL = "python -m runner kubectl --"


def check(declaration: Declaration, *, checkout: Path = CHECKOUT) -> bool:
    """Return whether this checkout has hosts, all of which fit the declaration; nothing is changed.

    Raises:
        DeclarationError: hosts exist that are not declared, or with another provider or address.
        HostsError: this checkout was moved, or the key to its hosts is gone.
        MachineError: Docker does not answer, and may have hosts of this checkout.
    """
    notes = _notes(checkout)
    found = _noted_containers(notes)
    _refuse_if_moved(found, checkout)
    own = [one for one in found if one.checkout == checkout]
    providers = {path.parent.parent.name: path.parent.name for path in notes if path.parent.name != "docker"}
    providers |= {one.host: "docker" for one in own}
    if others := sorted(name for name, provider in providers.items() if provider != declaration.provider):
        message = (
            f"{', '.join(others)} were made by {providers[others[0]]}, and now {declaration.provider} is declared."
        )
        raise DeclarationError(message, f"Take the change back; or {REMAKE}.")
    state = State(checkout)
    if own and not state.ssh_key.exists():
        message = f"The key to {_names(own)} was in {relative_to_cwd(state.ssh_key.parent)}, and is gone."
        raise HostsError(message, f"Put it back there; or {REMAKE}.")
    declared = {host.name: host for host in declaration.hosts}
    if moved := [one for one in own if one.host in declared and one.address != declared[one.host].address]:
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

    Whatever calls Vagrant to change machines does this first. Raises HostsError if this checkout was moved.
    """
    notes = _notes(checkout)
    found: list[Container] = []
    with suppress(MachineError):
        found = _noted_containers(notes)
    _refuse_if_moved(found, checkout)
    owners = {one.id: one.checkout for one in found}
    for path, machine in notes.items():
        place = path.with_name("vagrant_cwd")  # of the checkout where Vagrant was last called for it
        owner = owners.get(machine) or Path(place.read_text("utf-8").strip() if place.exists() else checkout)
        if owner != checkout and (owner / "Vagrantfile").exists():
            shutil.rmtree(path.parent)


def _refuse_if_moved(noted: Sequence[Container], checkout: Path) -> None:
    if moved := [one for one in noted if one.checkout != checkout and one.is_abandoned]:
        places = ", ".join(sorted({str(one.checkout) for one in moved}))
        raise HostsError(
            f"{_names(moved)} were made by this checkout when it was in {places}, and use files there.",
            f"Move it back; or `docker rm --force --volumes {' '.join(one.id[:12] for one in moved)}` removes them with"
            " their data, so that others can be made.",
        )


def _notes(checkout: Path) -> dict[Path, str]:
    """Return the files in which Vagrant keeps machines' ids, MACHINE/PROVIDER/id, each with its id."""
    paths = sorted((checkout / ".vagrant" / "machines").glob("*/*/id"))
    return {path: path.read_text("utf-8", errors="replace").strip() for path in paths}


def _noted_containers(notes: dict[Path, str]) -> list[Container]:
    """Return the containers that Vagrant has noted, whosever they are; Docker is asked only if there can be any."""
    if not any(path.parent.name == "docker" for path in notes):
        return []
    with Docker() as docker:
        return [one for one in docker.containers() if one.id in notes.values()]


def _names(containers: Sequence[Container]) -> str:
    return ", ".join(sorted(one.host for one in containers))
