"""The hosts: brought up, reached and removed.

Vagrant makes and removes them (runner/machines.py). What costs Vagrant seconds and Docker
milliseconds, which hosts run and where they answer, is asked of Docker where hosts are containers.
"""

import json
import re
import subprocess
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address
from pathlib import Path

from runner.declaration.model import Declaration, Host
from runner.errors import HostsError, MachineError
from runner.events import Note, Progress, Report
from runner.machines.containers import Container, Docker
from runner.machines.ssh import SshTarget, greet
from runner.machines.vagrant import Machines
from runner.state import CHECKOUT

STEP = "hosts"
CONTAINER_USER = "core"
BOOT_SECONDS = 120
ANSWER_SECONDS = 10
# "==> node-1: Creating the container..."
VAGRANT_LINE = re.compile(r"==> (?P<host>[\w-]+): (?P<text>.*?)[.\s]*$")


def up(
    declaration: Declaration, report: Report, names: Sequence[str] | None = None, *, checkout: Path = CHECKOUT
) -> None:
    """Bring the named hosts up, or all of them, until each answers by ssh; hosts that run are left alone.

    Raises:
        HostsError: with the end of Vagrant's output.
    """
    machines = Machines(checkout, declaration.provider)
    wanted = _chosen(declaration, names)
    missing = [host.name for host in wanted]
    if declaration.provider == "docker":
        running = _running_containers(machines, wanted, report)
        missing = [name for name in missing if name not in running]
    if missing:
        for line in machines.up(missing):
            if found := VAGRANT_LINE.match(line):
                report(Progress(STEP, found["host"], found["text"]))
    targets = _targets(declaration, machines)
    if absent := [host.name for host in wanted if host.name not in targets]:
        raise HostsError(
            f"{', '.join(absent)} stopped right after the start", f"`docker logs` or {machines.log} say why."
        )
    greet(
        (targets[host.name] for host in wanted),
        BOOT_SECONDS,
        lambda target: report(Progress(STEP, target.host, "answers", finished=True)),
    )


def destroy(declaration: Declaration, report: Report, *, checkout: Path = CHECKOUT) -> None:
    """Remove every host of this checkout, with its volumes and the network that nobody uses any more."""
    machines = Machines(checkout, declaration.provider)
    try:
        with Docker() as docker:
            _remove(docker, docker.containers(checkout), report)
            _free_network(docker, declaration)
    except MachineError:
        if declaration.provider == "docker":
            raise
    if machines.exist():
        machines.destroy()
    machines.forget()


def status(declaration: Declaration, *, checkout: Path = CHECKOUT) -> dict[str, str]:
    """The state of every declared host: running, stopped, not_created, or a provider's own word."""
    machines = Machines(checkout, declaration.provider)
    if declaration.provider != "docker":
        return machines.status()
    with Docker() as docker:
        made = {one.host: "running" if one.running else "stopped" for one in _known(docker, machines)}
    return {host.name: made.get(host.name, "not_created") for host in declaration.hosts}


def ssh_config(declaration: Declaration, *, checkout: Path = CHECKOUT) -> dict[str, SshTarget]:
    """How the hosts that run are reached, by name; their keys are known afterwards.

    Raises:
        HostsError: when no host runs, or one does not answer.
    """
    targets = _targets(declaration, Machines(checkout, declaration.provider))
    if not targets:
        raise HostsError("no host is up", "`make site`, or `vagrant up`, brings the hosts up.")
    greet((target for target in targets.values() if not target.known), ANSWER_SECONDS, lambda _: None)
    return targets


def bridge_present(declaration: Declaration) -> bool:
    """Whether this machine has the hosts' network.

    Where it does not, a packet to a host leaves by the default route into somebody else's network:
    nothing may connect to a host's address before this is true.
    """
    shown = subprocess.run(["ip", "-4", "-json", "address"], capture_output=True, check=True)
    addresses = (one["local"] for link in json.loads(shown.stdout) for one in link.get("addr_info", ()))
    return declaration.gateway in map(IPv4Address, addresses)


def unknown_to_vagrant(container: Container) -> bool:
    """Whether a container was made by an earlier checkout at the same path, or by a run that was cut short."""
    return Machines(container.checkout, "docker").identity(container.host) != container.id


def _chosen(declaration: Declaration, names: Sequence[str] | None) -> list[Host]:
    hosts = {host.name: host for host in declaration.hosts}
    if unknown := [name for name in names or () if name not in hosts]:
        raise HostsError(f"{', '.join(unknown)} is not declared", f"The hosts are {', '.join(hosts)}.")
    return [hosts[name] for name in (hosts if names is None else names)]


def _known(docker: Docker, machines: Machines) -> list[Container]:
    return [one for one in docker.containers(machines.checkout) if not unknown_to_vagrant(one)]


def _running_containers(machines: Machines, wanted: Iterable[Host], report: Report) -> set[str]:
    """The hosts that need no Vagrant; what would stand in Vagrant's way is cleared."""
    declared = {host.name: host for host in wanted}
    running: set[str] = set()
    with Docker() as docker:
        for container in docker.containers(machines.checkout):
            host = declared.get(container.host)
            if host is None:
                continue
            if unknown_to_vagrant(container):
                report(Note(STEP, f"{host.name} is left over from an earlier run or checkout and is made anew"))
                docker.remove(container)
            elif container.address != host.address:
                raise HostsError(
                    f"{host.name} was made with {container.address} and is now declared with {host.address}",
                    "Run `make destroy` first: hosts keep their addresses.",
                )
            elif container.running and not container.has_address:
                # A run was cut short before the host had its network; Vagrant connects a host that it starts.
                docker.stop(container)
            elif container.running:
                running.add(host.name)
    return running


def _targets(declaration: Declaration, machines: Machines) -> dict[str, SshTarget]:
    if declaration.provider != "docker":
        found = machines.targets()
    else:
        with Docker() as docker:
            known = _known(docker, machines)
        found = {one.host: _container_target(one, one.ssh_port, machines) for one in known if one.ssh_port}
    return {host.name: found[host.name] for host in declaration.hosts if host.name in found}


def _container_target(container: Container, port: int, machines: Machines) -> SshTarget:
    return SshTarget(
        host=container.host,
        address="127.0.0.1",
        port=port,
        user=CONTAINER_USER,
        key=machines.key,
        known_hosts=machines.known_hosts,
        identity=container.id[:12],
    )


def _remove(docker: Docker, containers: Sequence[Container], report: Report) -> None:
    with ThreadPoolExecutor() as pool:
        for container, _ in zip(containers, pool.map(docker.remove, containers), strict=True):
            report(Progress(STEP, container.host, "removed", finished=True))


def _free_network(docker: Docker, declaration: Declaration) -> None:
    """Remove the hosts' network, which Vagrant named, unless a host of another checkout is on it."""
    for network in docker.networks():
        ours = network.name.startswith("vagrant_network") and declaration.network in network.subnets
        if ours and not network.members:
            docker.remove_network(network.name)
