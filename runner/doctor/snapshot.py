"""Collecting the facts that the checks need; changes nothing."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from ipaddress import IPv4Network
from pathlib import Path

import psutil

from runner import process
from runner.declaration import Declaration
from runner.doctor.findings import DAEMON_JSON, DockerFacts, Route, Snapshot
from runner.errors import MachineError
from runner.machines import Container, Docker, is_orphaned
from runner.state import State

VIRTUALBOX_NETWORKS = Path("/etc/vbox/networks.conf")
# The range that VirtualBox allows when networks.conf names none
VIRTUALBOX_DEFAULT = IPv4Network("192.168.56.0/21")
INOTIFY = ("max_user_instances", "max_user_watches")
GIB = 1024**3


def collect(declaration: Declaration, checkout: Path, cache: Path) -> Snapshot:
    """Collect everything that the checks of this declaration need."""
    docker = _docker(checkout)
    cache = _nearest_existing_parent(cache)
    places = [cache, *([] if isinstance(docker, str) else [docker.root])]
    return Snapshot(
        checkout=checkout,
        docker=docker,
        docker_settings=_text(DAEMON_JSON),
        routes=tuple(_routes()),
        listening=frozenset(
            one.laddr.port for one in psutil.net_connections("tcp") if one.status == psutil.CONN_LISTEN and one.laddr
        ),
        cpus=len(os.sched_getaffinity(0)),
        memory_mib=psutil.virtual_memory().available // 2**20,
        disk_gib={place: shutil.disk_usage(place).free / GIB for place in places if place.exists()},
        cache=cache,
        prepared=(State(checkout).release / "manifest.json").exists(),
        inotify={name: int(Path(f"/proc/sys/fs/inotify/{name}").read_text(encoding="ascii")) for name in INOTIFY},
        cgroup_controllers=frozenset(_cgroup_controllers()),
        bridge_filter=Path("/proc/sys/net/bridge/bridge-nf-call-iptables").exists(),
        overlay="overlay" in Path("/proc/filesystems").read_text(encoding="ascii").split(),
        vxlan=Path("/sys/module/vxlan").exists(),
        vagrant=process.command_output("vagrant", "--version"),
        vagrant_plugins=process.command_output("vagrant", "plugin", "list") or ""
        if declaration.provider == "libvirt"
        else "",
        virtualbox=process.command_output("VBoxManage", "--version") if declaration.provider == "virtualbox" else None,
        virtualbox_ranges=tuple(virtualbox_ranges(_text(VIRTUALBOX_NETWORKS) or "")),
    )


def virtualbox_ranges(text: str) -> Iterator[IPv4Network]:
    """Yield the IPv4 ranges of VirtualBox's networks.conf ("* 10.0.0.0/8 192.168.0.0/16"), or its default."""
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
        return is_orphaned(host)
    try:
        return not (host.checkout / "Vagrantfile").exists()
    except OSError:  # another user's, or on a network disk that does not answer
        return False


def _routes() -> Iterator[Route]:
    for route in json.loads(process.run(["ip", "-4", "-json", "route", "show"])):
        if route["dst"] != "default" and "dev" in route:
            yield Route(IPv4Network(route["dst"]), route["dev"])


def _cgroup_controllers() -> Iterator[str]:
    if unified := _text(Path("/sys/fs/cgroup/cgroup.controllers")):
        yield from unified.split()
        return
    for line in (_text(Path("/proc/cgroups")) or "").splitlines()[1:]:
        name, _, _, enabled = line.split()
        if enabled == "1":
            yield name


def _nearest_existing_parent(path: Path) -> Path:
    """Return the path itself if it exists, else the nearest directory above it."""
    return next(place for place in (path, *path.parents) if place.exists())


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return None
