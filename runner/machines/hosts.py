"""The hosts: brought up, reached and removed.

Vagrant makes and removes them (vagrant.py). Where hosts are containers, Docker is asked which of them run and where
they answer: that takes milliseconds, and seconds with Vagrant.
"""

import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import psutil

from runner import process
from runner.declaration import Declaration, Host, OwnMachines
from runner.errors import HostsError, MachineError
from runner.events import Note, Progress, Report
from runner.machines import existing
from runner.machines.containers import Container, Docker
from runner.machines.ssh import SshTarget, own_command, wait_for_ssh
from runner.machines.vagrant import Vagrant
from runner.state import CHECKOUT
from runner.vagrant_settings import CONTAINER_USER

STEP = "hosts"
BOOT_SECONDS = 120
# "==> node-1: Creating the container..."
VAGRANT_LINE = re.compile(r"==> (?P<host>[\w-]+): (?P<text>.*?)[.\s]*$")


def up(
    declaration: Declaration, report: Report, names: Sequence[str] | None = None, *, checkout: Path = CHECKOUT
) -> None:
    """Bring the named hosts up, or all of them, and wait until each answers by ssh; running hosts are left alone.

    Raises what `existing.check` does, and HostsError, with the end of Vagrant's output.
    """
    existing.check(declaration, checkout=checkout)
    vagrant = Vagrant(checkout, declaration.provider)
    wanted = {host.name: host for host in declaration.hosts if names is None or host.name in names}
    running = _running_containers(vagrant, wanted, report) if declaration.provider == "docker" else set()
    if missing := [name for name in wanted if name not in running]:
        existing.forget_others(checkout)
        vagrant.bring_up(missing, partial(_report_line, report))
    targets = ssh_config(declaration, checkout=checkout)
    if absent := [name for name in wanted if name not in targets]:
        remedy = f"See `docker logs` or {vagrant.state.vagrant_log} for the reason."
        raise HostsError(f"{', '.join(absent)} stopped right after the start.", remedy)
    wait_for_ssh(
        (targets[name] for name in wanted),
        BOOT_SECONDS,
        lambda target: report(Progress(STEP, target.host, "answers", finished=True)),
    )


def destroy(declaration: Declaration, report: Report, *, checkout: Path = CHECKOUT) -> None:
    """Remove every host of this checkout, with its volumes, and the hosts' network if it is unused then."""
    existing.forget_others(checkout)

    def remove(container: Container) -> None:
        docker.remove(container)
        report(Progress(STEP, container.host, "removed", finished=True))

    try:
        with Docker() as docker:
            containers = docker.containers(checkout)
            process.JobRunner().run_parallel([partial(remove, one) for one in containers], len(containers))
            for network in docker.networks():
                # Vagrant named it, and a host of another checkout may be on it.
                ours = network.name.startswith("vagrant_network") and declaration.network in network.subnets
                if ours and not network.members:
                    docker.remove_network(network.name)
    except MachineError:
        if declaration.provider == "docker":
            raise
    vagrant = Vagrant(checkout, declaration.provider)
    if vagrant.any_created():
        vagrant.destroy()  # also from Vagrant's own index
    # What is known of machines that are gone: their ssh keys, their addresses and what was applied to them.
    vagrant.state.known_hosts.unlink(missing_ok=True)
    vagrant.state.ssh_config.unlink(missing_ok=True)
    vagrant.state.applied.unlink(missing_ok=True)


def owners() -> set[Path]:
    """Return the checkouts that have hosts on this machine."""
    with Docker() as docker:
        return {one.checkout for one in docker.containers()}


def check_no_others(*, checkout: Path = CHECKOUT) -> None:
    """Raise HostsError if another checkout has hosts on this machine."""
    if others := ", ".join(sorted(map(str, owners() - {checkout}))):
        message = f"Hosts of {others} need this machine as it is."
        raise HostsError(message, "Remove them by `python -m runner destroy` there, or leave out --all.")


def status(declaration: Declaration, *, checkout: Path = CHECKOUT) -> dict[str, str]:
    """Return the state of every host: running, paused, stopped, not_created, or a provider's own word."""
    vagrant = Vagrant(checkout, declaration.provider)
    if declaration.provider != "docker":
        return {one.name: one.state for one in vagrant.status()}
    states = {one.host: _state(one) for one in _containers(vagrant)}
    return dict.fromkeys((host.name for host in declaration.hosts), "not_created") | states


def ssh_config(declaration: Declaration, *, checkout: Path = CHECKOUT) -> dict[str, SshTarget]:
    """Return the ssh targets of the declared hosts that run, in the order of the declaration; no host is contacted."""
    vagrant = Vagrant(checkout, declaration.provider)
    if declaration.provider != "docker":
        found = vagrant.targets()
    else:
        found = {
            one.host: vagrant.target(one.host, "127.0.0.1", one.ssh_port, CONTAINER_USER, vagrant.state.ssh_key)
            for one in _containers(vagrant)
            if one.ssh_port
        }
    return {host.name: found[host.name] for host in declaration.hosts if host.name in found}


def ssh_command(cluster: Declaration | OwnMachines, host: str, *remote: str) -> list[str]:
    """Return the ssh command line that runs `remote` on a host, or opens a shell; a HostsError says why not."""
    if isinstance(cluster, OwnMachines):
        if host not in cluster.machines:
            raise HostsError(
                f"The inventory has no {host}; it has {', '.join(cluster.machines)}.", "Name one of these."
            )
        return own_command(cluster.machines[host], *remote)
    targets = ssh_config(cluster)
    if host not in targets:
        raise HostsError(f"{host} is not up; these are: {', '.join(targets)}.", "`python -m runner site` brings it up.")
    return targets[host].command(*remote, batch=False)


def bridge_present(declaration: Declaration) -> bool:
    """Return True when this machine has the hosts' network.

    Where it has not, a packet to a host leaves by the default route into somebody else's network:
    nothing may connect to a host's address before this is true.
    """
    gateway = str(declaration.gateway)
    return any(address.address == gateway for link in psutil.net_if_addrs().values() for address in link)


def is_orphaned(container: Container) -> bool:
    """Return True for a host of an earlier checkout at the same path, or of a run that was interrupted."""
    return Vagrant(container.checkout, "docker").machine_id(container.host) != container.id


def _containers(vagrant: Vagrant) -> list[Container]:
    with Docker() as docker:
        return [one for one in docker.containers(vagrant.state.checkout) if not is_orphaned(one)]


def _state(container: Container) -> str:
    return "paused" if container.paused else "running" if container.running else "stopped"


def _running_containers(vagrant: Vagrant, wanted: Mapping[str, Host], report: Report) -> set[str]:
    """Return the hosts that need no `vagrant up`, and remove or stop what it would fail on."""
    running: set[str] = set()
    with Docker() as docker:
        for container in docker.containers(vagrant.state.checkout):
            if not (host := wanted.get(container.host)):
                continue
            if is_orphaned(container):
                report(Note(STEP, f"{host.name} is left over from an earlier run or checkout and is created again"))
                docker.remove(container)
                continue
            if container.running and not container.has_address:
                # A run was cut short before the host had its network; Vagrant connects a host that it starts.
                docker.stop(container)
                continue
            if container.paused:
                report(Note(STEP, f"{host.name} was paused and goes on"))
                docker.resume(container)
            if container.running:
                running.add(host.name)
    return running


def _report_line(report: Report, line: str) -> None:
    if found := VAGRANT_LINE.match(line):
        report(Progress(STEP, found["host"], found["text"]))
