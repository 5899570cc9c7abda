"""A machine that passes every check, and the same with something changed."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

from runner.declaration.model import Declaration, load
from runner.doctor import Finding
from runner.doctor.checks import run_checks
from runner.doctor.snapshot import KUBELET, DockerFacts, Snapshot
from runner.machines.containers import Container, Member, Network
from runner.state import DECLARATION

CHECKOUT = Path("/home/ada/inaetics-demo-cluster")
ELSEWHERE = Path("/home/ada/another")
CACHE = Path("/home/ada/.cache")
DOCKER_ROOT = Path("/var/lib/docker")

DEFAULT_BRIDGE = Network("bridge", "docker0", (IPv4Network("172.31.255.0/24"),), ())

DOCKER = DockerFacts(version="20.10.24, cgroup v2", root=DOCKER_ROOT, networks=(DEFAULT_BRIDGE,))

MACHINE = Snapshot(
    checkout=CHECKOUT,
    docker=DOCKER,
    docker_settings=None,
    routes=(),
    listening=frozenset(),
    cpus=8,
    memory_mib=16000,
    disk_gib={CACHE: 100.0, DOCKER_ROOT: 100.0},
    cache=CACHE,
    cache_runs_programs=True,
    prepared=False,
    kernel=KUBELET | {"fs.inotify.max_user_instances": 8192, "fs.inotify.max_user_watches": 524288},
    cgroup_controllers=frozenset({"cpu", "cpuset", "io", "memory", "pids"}),
    modules=dict.fromkeys(("br_netfilter", "overlay", "vxlan"), True),
    vagrant="Vagrant 2.3.4",
    vagrant_plugins=None,
    virtualbox=None,
    virtualbox_ranges=(IPv4Network("192.168.56.0/21"),),
)


def declared(provider: str = "docker") -> Declaration:
    return load(DECLARATION).model_copy(update={"provider": provider})


def host(name: str = "controller", checkout: Path = ELSEWHERE, **changes: Any) -> Container:
    """A running host that is a container."""
    made = Container(
        id=f"{checkout}/{name}",
        host=name,
        checkout=checkout,
        address=IPv4Address("172.17.8.20"),
        running=True,
        paused=False,
        has_address=True,
        ssh_port=2200,
    )
    return replace(made, **changes)


def with_docker(**changes: Any) -> Snapshot:
    return replace(MACHINE, docker=replace(DOCKER, **changes))


def without_docker(problem: str = "No such file or directory") -> Snapshot:
    return replace(MACHINE, docker=DockerFacts(problem=f"Docker does not answer: {problem}"))


def with_kernel(**settings: int) -> Snapshot:
    return replace(MACHINE, kernel={**MACHINE.kernel, **settings})


def without_modules(*names: str, observed: Snapshot = MACHINE) -> Snapshot:
    return replace(observed, modules={**observed.modules, **dict.fromkeys(names, False)})


def network(name: str, subnet: str, *members: Member) -> Network:
    return Network(name, "docker0" if name == "bridge" else f"br-{name}", (IPv4Network(subnet),), members)


def problems(observed: Snapshot, declaration: Declaration | None = None) -> list[Finding]:
    """The findings that are not ok."""
    return [finding for finding in run_checks(observed, declaration or declared()) if finding.severity != "ok"]


def problem(observed: Snapshot, declaration: Declaration | None = None) -> Finding:
    """The only finding that is not ok."""
    (finding,) = problems(observed, declaration)
    return finding
