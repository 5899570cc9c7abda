"""The hosts: brought up, reached and removed.

Vagrant makes and removes them (vagrant.py). Where hosts are containers, Docker is asked which of them run and where
they answer: that takes milliseconds, and seconds with Vagrant.
"""

import json
import re
from collections.abc import Iterable, Sequence
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path

from runner import process
from runner.declaration import Declaration, Host
from runner.errors import HostsError, MachineError
from runner.events import Note, Progress, Report
from runner.machines.containers import Container, Docker
from runner.machines.ssh import SshTarget, wait_for_ssh
from runner.machines.vagrant import Vagrant
from runner.state import CHECKOUT
from runner.vagrant_settings import CONTAINER_USER

STEP = "hosts"
BOOT_SECONDS = 120
ANSWER_SECONDS = 10
# "==> node-1: Creating the container..."
VAGRANT_LINE = re.compile(r"==> (?P<host>[\w-]+): (?P<text>.*?)[.\s]*$")


def up(
    declaration: Declaration, report: Report, names: Sequence[str] | None = None, *, checkout: Path = CHECKOUT
) -> None:
    """Bring the named hosts up, or all of them, and wait until each answers by ssh; running hosts are left alone.

    Raises:
        HostsError: with the end of Vagrant's output.
    """
    vagrant = Vagrant(checkout, declaration.provider)
    wanted = _select_hosts(declaration, names)
    missing = [host.name for host in wanted]
    if declaration.provider == "docker":
        running = _running_containers(vagrant, wanted, report)
        missing = [name for name in missing if name not in running]
    if missing:
        vagrant.up(missing, partial(_report_line, report))
    targets = _targets(declaration, vagrant)
    if absent := [host.name for host in wanted if host.name not in targets]:
        raise HostsError(
            f"{', '.join(absent)} stopped right after the start.", f"See `docker logs` or {vagrant.log} for the reason."
        )
    wait_for_ssh(
        (targets[host.name] for host in wanted),
        BOOT_SECONDS,
        lambda target: report(Progress(STEP, target.host, "answers", finished=True)),
    )


def destroy(declaration: Declaration, report: Report, *, checkout: Path = CHECKOUT) -> None:
    """Remove every host of this checkout, with its volumes, and the hosts' network if it is unused then."""
    vagrant = Vagrant(checkout, declaration.provider)
    try:
        with Docker() as docker:
            _remove(docker, docker.containers(checkout), report)
            _remove_unused_network(docker, declaration)
    except MachineError:
        if declaration.provider == "docker":
            raise
    if vagrant.any_created():
        vagrant.destroy()
    vagrant.clear_cache()


def status(declaration: Declaration, *, checkout: Path = CHECKOUT) -> dict[str, str]:
    """Return the state of every declared host: running, stopped, not_created, or a provider's own word."""
    vagrant = Vagrant(checkout, declaration.provider)
    if declaration.provider != "docker":
        return vagrant.status()
    with Docker() as docker:
        states = {one.host: "running" if one.running else "stopped" for one in _current(docker, vagrant)}
    return {host.name: states.get(host.name, "not_created") for host in declaration.hosts}


def ssh_config(declaration: Declaration, *, checkout: Path = CHECKOUT) -> dict[str, SshTarget]:
    """Return the ssh targets of the running hosts, by name; their keys are in known_hosts afterwards.

    Raises:
        HostsError: when no host runs, or one does not answer.
    """
    targets = _targets(declaration, Vagrant(checkout, declaration.provider))
    if not targets:
        raise HostsError("No host is up.", "`make site`, or `vagrant up`, brings the hosts up.")
    wait_for_ssh((target for target in targets.values() if not target.host_key_known), ANSWER_SECONDS)
    return targets


def bridge_present(declaration: Declaration) -> bool:
    """Return True when this machine has the hosts' network.

    Where it has not, a packet to a host leaves by the default route into somebody else's network:
    nothing may connect to a host's address before this is true.
    """
    links = json.loads(process.run(["ip", "-4", "-json", "address"]))
    addresses = (one["local"] for link in links for one in link.get("addr_info", ()))
    return declaration.gateway in map(IPv4Address, addresses)


def is_orphaned(container: Container) -> bool:
    """Return True for a host of an earlier checkout at the same path, or of a run that was interrupted."""
    return Vagrant(container.checkout, "docker").machine_id(container.host) != container.id


def _select_hosts(declaration: Declaration, names: Sequence[str] | None) -> list[Host]:
    hosts = {host.name: host for host in declaration.hosts}
    if unknown := [name for name in names or () if name not in hosts]:
        raise HostsError(f"{', '.join(unknown)} is not declared.", f"The hosts are {', '.join(hosts)}.")
    return [hosts[name] for name in (hosts if names is None else names)]


def _current(docker: Docker, vagrant: Vagrant) -> list[Container]:
    return [one for one in docker.containers(vagrant.checkout) if not is_orphaned(one)]


def _running_containers(vagrant: Vagrant, wanted: Iterable[Host], report: Report) -> set[str]:
    """Return the hosts that need no `vagrant up`, and remove or stop what it would fail on."""
    declared = {host.name: host for host in wanted}
    running: set[str] = set()
    with Docker() as docker:
        for container in docker.containers(vagrant.checkout):
            host = declared.get(container.host)
            if host is None:
                continue
            if is_orphaned(container):
                report(Note(STEP, f"{host.name} is left over from an earlier run or checkout and is created again"))
                docker.remove(container)
            elif container.address != host.address:
                raise HostsError(
                    f"{host.name} was created with {container.address} and is now declared with {host.address}.",
                    "Run `make destroy` first: hosts keep their addresses.",
                )
            elif container.running and not container.has_address:
                # A run was cut short before the host had its network; Vagrant connects a host that it starts.
                docker.stop(container)
            elif container.running:
                running.add(host.name)
    return running


def _targets(declaration: Declaration, vagrant: Vagrant) -> dict[str, SshTarget]:
    if declaration.provider != "docker":
        found = vagrant.targets()
    else:
        with Docker() as docker:
            containers = _current(docker, vagrant)
        found = {one.host: _container_target(one, one.ssh_port, vagrant) for one in containers if one.ssh_port}
    return {host.name: found[host.name] for host in declaration.hosts if host.name in found}


def _container_target(container: Container, port: int, vagrant: Vagrant) -> SshTarget:
    return SshTarget(
        host=container.host,
        address="127.0.0.1",
        port=port,
        user=CONTAINER_USER,
        key=vagrant.key,
        known_hosts=vagrant.known_hosts,
        host_key_alias=container.id[:12],
    )


def _report_line(report: Report, line: str) -> None:
    if found := VAGRANT_LINE.match(line):
        report(Progress(STEP, found["host"], found["text"]))


def _remove(docker: Docker, containers: Sequence[Container], report: Report) -> None:
    def remove(container: Container) -> None:
        docker.remove(container)
        report(Progress(STEP, container.host, "removed", finished=True))

    process.JobRunner().run_parallel([partial(remove, container) for container in containers], len(containers))


def _remove_unused_network(docker: Docker, declaration: Declaration) -> None:
    """Remove the hosts' network, which Vagrant named, unless a host of another checkout is on it."""
    for network in docker.networks():
        ours = network.name.startswith("vagrant_network") and declaration.network in network.subnets
        if ours and not network.members:
            docker.remove_network(network.name)
