"""The snapshot of this machine that the checks look at; collecting it changes nothing."""

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

import psutil

from runner import process
from runner.declaration import Declaration
from runner.errors import MachineError
from runner.machines import Container, Docker, Network, is_orphaned
from runner.state import State

DAEMON_JSON = Path("/etc/docker/daemon.json")
SYSCTLS = Path("/proc/sys")
# What kubelets want of the whole machine, and set themselves where they may (kubelet's container_manager_linux.go).
KUBELET = {
    "kernel.keys.root_maxbytes": 25000000,
    "kernel.keys.root_maxkeys": 1000000,
    "kernel.panic": 10,
    "kernel.panic_on_oops": 1,
    "vm.overcommit_memory": 1,
    "vm.panic_on_oom": 0,
}
INOTIFY = ("fs.inotify.max_user_instances", "fs.inotify.max_user_watches")


@dataclass(frozen=True)
class DockerFacts:
    """Facts about Docker; without networks and hosts where `problem` says why it does not answer."""

    problem: str = ""
    version: str = ""
    root: Path | None = None
    running: int = 0
    networks: tuple[Network, ...] = ()
    # The project's hosts, of every checkout
    containers: tuple[Container, ...] = ()
    # Ids of the hosts whose checkout is not there, or was replaced by a new one at the same path
    orphans: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Snapshot:
    """The state of this machine that a run depends on; checks look at nothing else."""

    checkout: Path
    docker: DockerFacts
    docker_settings: str | None
    # The main routing table: a network, and the device that leads there
    routes: tuple[tuple[IPv4Network, str], ...]
    listening: frozenset[int]
    cpus: int
    memory_mib: int
    # Free space in GiB
    disk_gib: Mapping[Path, float]
    cache: Path
    cache_runs_programs: bool
    prepared: bool
    # The kernel's settings by their names for sysctl(8)
    kernel: Mapping[str, int]
    cgroup_controllers: frozenset[str]
    # The kernel modules that hosts need, each with whether it is loaded or built in
    modules: Mapping[str, bool]
    vagrant: str | None
    vagrant_plugins: str | None
    virtualbox: str | None
    virtualbox_ranges: tuple[IPv4Network, ...]

    @property
    def own_running(self) -> list[Container]:
        """The running hosts of this checkout."""
        hosts, orphans = self.docker.containers, self.docker.orphans
        return [one for one in hosts if one.running and one.checkout == self.checkout and one.id not in orphans]


def collect(declaration: Declaration, checkout: Path, cache: Path) -> Snapshot:
    """Collect everything that the checks of this declaration need."""
    provider = declaration.provider
    docker = _docker(checkout)
    cache = next(place for place in (cache, *cache.parents) if place.exists())
    routes = json.loads(process.run(["ip", "-4", "-json", "route", "show"]))
    sockets = psutil.net_connections("tcp")
    return Snapshot(
        checkout=checkout,
        docker=docker,
        docker_settings=_text(DAEMON_JSON),
        routes=tuple(
            (IPv4Network(one["dst"]), one["dev"]) for one in routes if one["dst"] != "default" and "dev" in one
        ),
        listening=frozenset(one.laddr.port for one in sockets if one.status == psutil.CONN_LISTEN and one.laddr),
        cpus=len(os.sched_getaffinity(0)),
        memory_mib=psutil.virtual_memory().available // 2**20,
        disk_gib={one: shutil.disk_usage(one).free / 2**30 for one in (cache, docker.root) if one and one.exists()},
        cache=cache,
        cache_runs_programs=not os.statvfs(cache).f_flag & os.ST_NOEXEC,
        prepared=(State(checkout).release / "manifest.json").exists(),
        kernel={name: int((SYSCTLS / name.replace(".", "/")).read_text()) for name in (*KUBELET, *INOTIFY)},
        cgroup_controllers=frozenset(_cgroup_controllers()),
        modules={
            "br_netfilter": Path("/proc/sys/net/bridge/bridge-nf-call-iptables").exists(),
            "overlay": "overlay" in Path("/proc/filesystems").read_text(encoding="ascii").split(),
            "vxlan": Path("/sys/module/vxlan").exists(),
        },
        vagrant=process.command_output("vagrant", "--version"),
        vagrant_plugins=process.command_output("vagrant", "plugin", "list") if provider == "libvirt" else None,
        virtualbox=process.command_output("VBoxManage", "--version") if provider == "virtualbox" else None,
        virtualbox_ranges=virtualbox_ranges(_text(Path("/etc/vbox/networks.conf")) or ""),
    )


def virtualbox_ranges(text: str) -> tuple[IPv4Network, ...]:
    """Return the IPv4 ranges of VirtualBox's networks.conf ("* 10.0.0.0/8 192.168.0.0/16"), or its default."""
    found = re.findall(r"\b\d+\.\d+\.\d+\.\d+/\d+", re.sub(r"#.*", "", text))
    return tuple(IPv4Network(one, strict=False) for one in found or ["192.168.56.0/21"])


def _docker(checkout: Path) -> DockerFacts:
    try:
        with Docker() as docker:
            info, containers = docker.info(), docker.containers()
            return DockerFacts(
                version=f"{info['ServerVersion']}, cgroup v{info.get('CgroupVersion', '1')}",
                root=Path(info["DockerRootDir"]),
                running=info["ContainersRunning"] + info["ContainersPaused"],
                networks=tuple(docker.networks()),
                containers=tuple(containers),
                orphans=frozenset(one.id for one in containers if _is_orphaned(one, checkout)),
            )
    except MachineError as error:
        return DockerFacts(problem=error.message)


def _is_orphaned(host: Container, checkout: Path) -> bool:
    return is_orphaned(host) if host.checkout == checkout else host.is_abandoned


def _cgroup_controllers() -> list[str]:
    if unified := _text(Path("/sys/fs/cgroup/cgroup.controllers")):
        return unified.split()
    lines = map(str.split, (_text(Path("/proc/cgroups")) or "").splitlines()[1:])
    return [name for name, _, _, enabled in lines if enabled == "1"]


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return None
