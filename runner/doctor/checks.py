"""The checks of this machine, each a function from a snapshot to a finding."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from rich.text import Text

from runner.declaration import Declaration
from runner.display.lines import BAD, CHANGE, GOOD
from runner.doctor import remedies
from runner.doctor.snapshot import DAEMON_JSON, INOTIFY, KUBELET, Snapshot
from runner.machines import Container
from runner.vagrant_settings import SSH_PORTS

# As measured, in MiB: the controller with everything on it, and a node with its pods.
MEMORY = {"control_plane": 700, "workers": 250}
CGROUP_CONTROLLERS = ("cpu", "cpuset", "memory", "pids")
OTHER_NETWORK = "or change `network` and the addresses in inventory/cluster.yml"
SEVERITY_STYLES = {"ok": GOOD, "warning": CHANGE, "failure": BAD}

Severity = Literal["ok", "warning", "failure"]
Fix = Callable[[], str] | None  # says what it did


@dataclass(frozen=True)
class Finding:
    """The result of one check: a failure stops `site`, a warning does not."""

    check: str
    severity: Severity
    observed: str
    remedy: str = ""
    fix: Fix = None

    def as_lines(self) -> list[Text]:
        """Return the lines that `doctor` prints, with the remedy unless all is well."""
        grade = (f"{self.severity:<9}", SEVERITY_STYLES[self.severity])
        hint = " (`python -m runner doctor --fix` does it)" if self.fix else ""
        remedy = [] if self.severity == "ok" else [Text(f"{'':<9}{self.remedy}{hint}")]
        return [Text.assemble(grade, f"{self.check}: {self.observed}"), *remedy]

    def as_json(self) -> dict[str, Any]:
        """Return the members that `doctor --json` prints; users' programs read these names."""
        about = {"check": self.check, "grade": self.severity, "seen": self.observed, "remedy": self.remedy}
        return {**about, "mendable": self.fix is not None}


def _find(check: str, good: str, problem: str, remedy: str, fix: Fix = None, severity: Severity = "failure") -> Finding:
    """Return the finding of a problem with its remedy or, where there is none, of what is good."""
    return Finding(check, severity, problem, remedy, fix) if problem else Finding(check, "ok", good)


def _docker(observed: Snapshot, _: Declaration) -> Finding:
    # Docker builds the images, and runs the hosts unless they are virtual machines.
    docker = observed.docker
    if "Permission denied" in docker.problem:
        remedy = "`sudo usermod -aG docker $USER`, then log in again (`make site` does both)."
        return Finding("Docker", "failure", docker.problem, remedy)
    remedy = "`make bootstrap` installs and starts it."
    return _find("Docker", docker.version, docker.problem, remedy, remedies.bootstrap)


def _vagrant(observed: Snapshot, declared: Declaration) -> Finding:
    if observed.vagrant is None:
        remedy = "`make bootstrap` installs it."
        return Finding("Vagrant", "failure", "is not installed", remedy, remedies.bootstrap)
    if declared.provider == "libvirt" and "vagrant-libvirt" not in (observed.vagrant_plugins or ""):
        return Finding("Vagrant", "failure", "its plug-in for libvirt is missing", "`apt install vagrant-libvirt`")
    if declared.provider == "virtualbox" and observed.virtualbox is None:
        return Finding("Vagrant", "failure", "VirtualBox is missing", "Install VirtualBox, or use provider docker.")
    return Finding("Vagrant", "ok", f"{observed.vagrant} with {declared.provider}")


def _cpus(observed: Snapshot, _: Declaration) -> Finding:
    problem = f"{observed.cpus}; it will take longer" if observed.cpus < 2 else ""
    return _find("CPUs", str(observed.cpus), problem, "Give this machine 2 or more.", severity="warning")


def _memory(observed: Snapshot, declared: Declaration) -> Finding:
    # Containers take what they use, virtual machines what is declared.
    running = {container.host for container in observed.own_running}
    missing = [host for host in declared.hosts if host.name not in running]
    needed = sum(MEMORY[host.group] if declared.provider == "docker" else host.memory for host in missing)
    text = f"{observed.memory_mib} MiB available, {needed} MiB needed for {len(missing)} more hosts"
    problem = text if observed.memory_mib < needed else ""
    return _find("memory", text, problem, "Close programs, or lower nodes.count in inventory/cluster.yml.")


def _disk(observed: Snapshot, declared: Declaration) -> Finding:
    # In GiB: sources, build results and images; what hosts write, and pods' images.
    needed = {observed.cache: 2.0 if observed.prepared else 15.0, observed.docker.root: len(declared.hosts) * 0.5}
    free = [f"{place} has {gib:.0f} GiB free" for place, gib in observed.disk_gib.items()]
    lacking = [
        f"{place} has {gib:.1f} GiB free, {needed[place]:.1f} are needed"
        for place, gib in observed.disk_gib.items()
        if gib < needed.get(place, 0)
    ]
    if not observed.cache_runs_programs:
        lacking.append(f"{observed.cache} is mounted noexec, and hosts run programs from there")
    remedy = "Make room (`docker system df` shows Docker's part), or set XDG_CACHE_HOME to another disk."
    return _find("disk", ", ".join(free), "; ".join(lacking), remedy)


def _ports(observed: Snapshot, declared: Declaration) -> Finding:
    # Each host's ssh has a port of the loopback address.
    free = len(set(SSH_PORTS) - observed.listening)
    wanted = len(declared.hosts) - len(observed.own_running)
    text = f"{free} of {SSH_PORTS.start}-{SSH_PORTS.stop - 1} are free"
    problem = f"{text}, {wanted} are needed" if free < wanted else ""
    return _find("ports", text, problem, "Stop the programs that listen there; `ss -ltnp` lists them.")


def _cgroups(observed: Snapshot, declared: Declaration) -> Finding:
    # kubelet needs them; some small machines boot without the memory one.
    lacking = [name for name in CGROUP_CONTROLLERS if name not in observed.cgroup_controllers]
    problem = f"the kernel lacks {', '.join(lacking)}" if lacking and declared.provider == "docker" else ""
    remedy = "Enable them on the kernel's command line (cgroup_enable=memory) and restart."
    return _find("cgroups", f"{', '.join(CGROUP_CONTROLLERS)} are available", problem, remedy)


def _kernel(observed: Snapshot, declared: Declaration) -> Finding:
    # Kubelets fail with "too many open files" when the limits are used up: systemd, containerd and kubelet of one host
    # open some dozens; the limit is the whole machine's. KUBELET's they would set themselves, unnamed and for good.
    least = dict(zip(INOTIFY, (128 + 64 * len(declared.hosts), 65536), strict=True))
    wanted = {name: max(value, observed.kernel[name]) for name, value in least.items()} | KUBELET
    lacking = {name: value for name, value in wanted.items() if observed.kernel[name] != value}
    text = ", ".join(f"{name} {observed.kernel[name]}" for name in lacking or least)
    # Virtual machines have kernels of their own.
    is_wrong = lacking and declared.provider == "docker"
    problem = f"{text}; other values are needed for {len(declared.hosts)} hosts" if is_wrong else ""
    remedy = f"`sysctl {' '.join(f'{name}={value}' for name, value in lacking.items())}`"
    # All of them, also one that an earlier fix or another file has set.
    fix = partial(remedies.set_kernel, {name: (observed.kernel[name], value) for name, value in wanted.items()})
    return _find("kernel settings", text, problem, remedy, fix)


def _modules(observed: Snapshot, declared: Declaration) -> Finding:
    # Hosts that are containers cannot load them.
    lacking = [name for name, is_there in observed.modules.items() if not is_there]
    problem = f"{', '.join(lacking)} not loaded" if lacking and declared.provider == "docker" else ""
    fix = partial(remedies.load_modules, observed.modules)
    good = f"{', '.join(observed.modules)} are available"
    return _find("kernel modules", good, problem, f"`modprobe -a {' '.join(lacking)}`", fix)


def _routes(observed: Snapshot, declared: Declaration) -> Finding:
    # Nothing may be sent to a VPN or another network that owns the hosts' addresses.
    finding = Finding("routes", "ok", f"{declared.network} is used by no other network")
    # Docker's bridges are checked with its networks; VirtualBox's and libvirt's belong to the hosts.
    ignored = {"lo"} | {network.device for network in observed.docker.networks}
    for to, device in observed.routes:
        if device in ignored or device.startswith(("vboxnet", "virbr")):
            continue
        goes = f"{to} goes to {device}"
        if to.subnet_of(declared.network):
            return Finding("routes", "failure", goes, f"Leave the VPN or the network of {device}, {OTHER_NETWORK}.")
        # Broader than /8 is a VPN that takes everything; the hosts' own route is more specific and wins.
        if to.supernet_of(declared.network) and to.prefixlen >= 8:
            text = f"{goes}; {declared.network} of it will go to the hosts"
            finding = Finding("routes", "warning", text, f"If you need those addresses, {OTHER_NETWORK}.")
    return finding


def _virtualbox(observed: Snapshot, declared: Declaration) -> Finding:
    if declared.provider != "virtualbox":
        return Finding("VirtualBox's ranges", "ok", f"not used by provider {declared.provider}")
    listed = ", ".join(map(str, observed.virtualbox_ranges))
    is_allowed = any(declared.network.subnet_of(allowed) for allowed in observed.virtualbox_ranges)
    problem = "" if is_allowed else f"{declared.network} is not in {listed}"
    remedy = f"`echo '* {declared.network}' | sudo tee -a /etc/vbox/networks.conf`"
    return _find("VirtualBox's ranges", listed, problem, remedy)


def _docker_networks(observed: Snapshot, declared: Declaration) -> Finding:
    # Packets would reach the wrong one of two networks.
    check = "Docker's networks"
    for name, subnet in ((network.name, one) for network in observed.docker.networks for one in network.subnets):
        text = f"{name} ({subnet}) overlaps the hosts' network ({declared.network})"
        if name == "bridge" and subnet.overlaps(declared.network):
            remedy = f'Put "bip": "{remedies.BRIDGE}" into {DAEMON_JSON} and restart Docker, {OTHER_NETWORK}.'
            # No container would stop, and no settings but the same ones would be lost.
            settings = "".join((observed.docker_settings or "").split())
            is_ours = settings in ("", "".join(remedies.DOCKER_SETTINGS.split()))
            fix = remedies.move_docker_bridge if is_ours and not observed.docker.running else None
            return Finding(check, "failure", f"Docker's own {text}", remedy, fix)
        if subnet != declared.network and subnet.overlaps(declared.network):
            return Finding(check, "failure", text, f"`docker network rm {name}`, {OTHER_NETWORK}.")
    return Finding(check, "ok", f"none overlaps {declared.network}")


def _addresses(observed: Snapshot, declared: Declaration) -> Finding:
    # Only its owner may stop another container that has a host's address.
    wanted = {host.address: host.name for host in declared.hosts}
    ours = {container.id for container in observed.docker.containers}
    members = [member for network in observed.docker.networks for member in network.members]
    taken = [member for member in members if member.address in wanted and member.container not in ours]
    listed = ", ".join(f"{member.name} has {member.address} ({wanted[member.address]})" for member in taken)
    remedy = f"`docker stop {' '.join(member.name for member in taken)}`, {OTHER_NETWORK}."
    return _find("hosts' addresses", f"{len(wanted)} addresses are free or this project's", listed, remedy)


def _stale_hosts(observed: Snapshot, declared: Declaration) -> Finding:
    addresses = {host.address for host in declared.hosts}
    # A stopped one holds neither address nor port.
    running = [one for one in observed.docker.containers if one.running]
    orphans = [one for one in running if one.id in observed.docker.orphans]
    others = [one for one in running if one not in orphans and one.checkout != observed.checkout]
    conflicting = [one for one in others if one.address in addresses]
    parts, remedy = [], "Stop them; `vagrant up` in their checkout starts them again."
    if conflicting:
        parts.append(f"{len(conflicting)} of {_checkouts(conflicting)} run on the same addresses")
    if orphans:
        # A checkout that is not there may be on a disk that is not mounted, so its hosts are never removed here.
        parts.append(f"{len(orphans)} are left over from a checkout that is gone ({_checkouts(orphans)})")
        ids = " ".join(one.id[:12] for one in orphans)
        remedy += f" `docker rm --force --volumes {ids}` would remove those left over, with their data."
    fix = partial(remedies.stop_hosts, [*conflicting, *orphans])
    return _find("hosts of other checkouts", "none in the way", "; ".join(parts), remedy, fix)


def _checkouts(hosts: Sequence[Container]) -> str:
    return ", ".join(sorted({str(one.checkout) for one in hosts}))


def _undeclared_hosts(observed: Snapshot, declared: Declaration) -> Finding:
    names = {host.name for host in declared.hosts}
    extra = sorted(one.host for one in observed.own_running if one.host not in names)
    good = f"{len(observed.own_running)} of {len(names)} run"
    problem = f"{', '.join(extra)} run but are no longer declared" if extra else ""
    remedy = "`python -m runner site` says how to remove them."
    return _find("hosts of this checkout", good, problem, remedy, severity="warning")


CHECKS = (_docker, _vagrant, _cpus, _memory, _disk, _ports, _cgroups, _kernel, _modules, _routes, _virtualbox)
# These have nothing to look at while Docker does not answer.
CHECKS_OF_DOCKER = (_docker_networks, _addresses, _stale_hosts, _undeclared_hosts)


def run_checks(observed: Snapshot, declared: Declaration) -> list[Finding]:
    """Run every check on a snapshot, those of Docker only where it answers."""
    checks = CHECKS if observed.docker.problem else CHECKS + CHECKS_OF_DOCKER
    return [check(observed, declared) for check in checks]
