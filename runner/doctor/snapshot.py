"""Looking at this machine. Only reads; nothing here judges."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from ipaddress import IPv4Network
from pathlib import Path

from runner.declaration.model import Declaration
from runner.doctor.findings import DockerFacts, Route, Snapshot
from runner.doctor.networks import DAEMON_JSON
from runner.errors import MachineError
from runner.machines.containers import Container, Docker
from runner.machines.hosts import unknown_to_vagrant
from runner.state import State

VIRTUALBOX_NETWORKS = Path("/etc/vbox/networks.conf")
# What VirtualBox allows for host-only networks where its networks.conf says nothing.
VIRTUALBOX_DEFAULT = IPv4Network("192.168.56.0/21")
INOTIFY = ("max_user_instances", "max_user_watches")
LISTEN = "0A"
GIB = 1024**3


def take(declaration: Declaration, checkout: Path, cache: Path) -> Snapshot:
    """Look at everything that the checks of this declaration need."""
    docker = _docker(checkout)
    places = [_existing(cache), *([] if isinstance(docker, str) else [docker.root])]
    return Snapshot(
        checkout=checkout,
        docker=docker,
        docker_settings=_text(DAEMON_JSON),
        routes=tuple(_routes()),
        listening=frozenset(_listening()),
        cpus=len(os.sched_getaffinity(0)),
        memory_mib=_available_memory(),
        disk_gib={place: shutil.disk_usage(place).free / GIB for place in places if place.exists()},
        cache=_existing(cache),
        prepared=(State(checkout).release / "manifest.json").exists(),
        inotify={name: int(Path(f"/proc/sys/fs/inotify/{name}").read_text(encoding="ascii")) for name in INOTIFY},
        cgroup_controllers=frozenset(_cgroup_controllers()),
        bridge_filter=Path("/proc/sys/net/bridge/bridge-nf-call-iptables").exists(),
        overlay="overlay" in Path("/proc/filesystems").read_text(encoding="ascii").split(),
        vxlan=Path("/sys/module/vxlan").exists(),
        vagrant=_said("vagrant", "--version"),
        vagrant_plugins=_said("vagrant", "plugin", "list") or "" if declaration.provider == "libvirt" else "",
        virtualbox=_said("VBoxManage", "--version") if declaration.provider == "virtualbox" else None,
        virtualbox_ranges=tuple(virtualbox_ranges(_text(VIRTUALBOX_NETWORKS) or "")),
    )


def virtualbox_ranges(text: str) -> Iterator[IPv4Network]:
    """The IPv4 ranges of VirtualBox's networks.conf ("* 10.0.0.0/8 192.168.0.0/16"), or its default."""
    found = re.findall(r"\b\d+\.\d+\.\d+\.\d+/\d+", re.sub(r"#.*", "", text))
    yield from (IPv4Network(one, strict=False) for one in found)
    if not found:
        yield VIRTUALBOX_DEFAULT


def _docker(checkout: Path) -> DockerFacts | str:
    try:
        with Docker() as docker:
            info, containers = docker.info(), docker.containers()
            return DockerFacts(
                version=info["ServerVersion"],
                cgroup_version=info.get("CgroupVersion", "1"),
                root=Path(info["DockerRootDir"]),
                running=docker.running_containers(),
                networks=tuple(docker.networks()),
                containers=tuple(containers),
                orphans=frozenset(one.id for one in containers if _orphaned(one, checkout)),
            )
    except MachineError as error:
        return error.message


def _orphaned(host: Container, checkout: Path) -> bool:
    if host.checkout == checkout:
        return unknown_to_vagrant(host)
    try:
        return not (host.checkout / "Vagrantfile").exists()
    except PermissionError:  # another user's
        return False


def _routes() -> Iterator[Route]:
    shown = subprocess.run(["ip", "-4", "-json", "route", "show"], capture_output=True, check=True)
    for route in json.loads(shown.stdout):
        if route["dst"] != "default" and "dev" in route:
            yield Route(IPv4Network(route["dst"]), route["dev"])


def _listening() -> Iterator[int]:
    """The TCP ports on which something on this machine listens."""
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        for line in (_text(table) or "").splitlines()[1:]:
            _, local, _, state, *_ = line.split()
            if state == LISTEN:
                yield int(local.rpartition(":")[2], 16)


def _available_memory() -> int:
    meminfo = Path("/proc/meminfo").read_text(encoding="ascii")
    found = re.search(r"^MemAvailable:\s+(\d+) kB", meminfo, re.MULTILINE)
    return int(found[1]) // 1024 if found else 0


def _cgroup_controllers() -> Iterator[str]:
    if unified := _text(Path("/sys/fs/cgroup/cgroup.controllers")):
        yield from unified.split()
        return
    for line in (_text(Path("/proc/cgroups")) or "").splitlines()[1:]:
        name, _, _, enabled = line.split()
        if enabled == "1":
            yield name


def _existing(path: Path) -> Path:
    """The path, or the nearest directory above it that exists already."""
    return next(place for place in (path, *path.parents) if place.exists())


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return None


def _said(*command: str) -> str | None:
    """What a program prints; None when this machine does not have it or it fails."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (FileNotFoundError, subprocess.CalledProcessError):
        return None
