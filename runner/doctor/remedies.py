"""The remedies of `doctor --fix`: each can be undone and disturbs nobody else's work."""

import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import psutil

from runner import process
from runner.declaration import Declaration
from runner.doctor import machine, networks, stale_hosts
from runner.doctor.findings import DAEMON_JSON, Snapshot
from runner.errors import MachineError
from runner.machines import Docker
from runner.state import CHECKOUT

Remedy = Callable[[Snapshot, Declaration], str]

SYSCTL = Path("/etc/sysctl.d/90-inaetics-demo-cluster.conf")
MODULES_LOAD = Path("/etc/modules-load.d/inaetics-demo-cluster.conf")
DOCKER_PID = Path("/var/run/docker.pid")
DOCKER_STOP_SECONDS = 30


def bootstrap(_: Snapshot, __: Declaration) -> str:
    """Install what is missing and start Docker."""
    _run(str(CHECKOUT / "runner" / "bootstrap.sh"))
    return "installed what was missing and started Docker"


def move_docker_bridge(observed: Snapshot, declared: Declaration) -> str:
    """Restart Docker, in which nothing runs, with a bridge outside the hosts' network."""
    if Path("/run/systemd/system").exists():
        _as_root("systemctl", "stop", "docker.socket", "docker.service")
    else:
        _stop_docker()
    _write(DAEMON_JSON, networks.SETTINGS)
    bootstrap(observed, declared)
    return f"moved Docker's bridge to {networks.BRIDGE} ({DAEMON_JSON})"


def raise_inotify(observed: Snapshot, declared: Declaration) -> str:
    """Raise the limits that are too low, now and for later starts of the machine."""
    # The file is replaced, so it has every limit, also one that an earlier fix or another file raised.
    needed = machine.inotify_needed(declared).items()
    settings = [f"fs.inotify.{name}={max(value, observed.inotify[name])}" for name, value in needed]
    _write(SYSCTL, "".join(f"{setting}\n" for setting in settings))
    _as_root("sysctl", "-q", "-p", str(SYSCTL))
    return f"set {', '.join(settings)} ({SYSCTL})"


def load_modules(observed: Snapshot, _: Declaration) -> str:
    """Load the kernel modules that hosts need, now and at later starts of the machine."""
    names = machine.missing_modules(observed)
    _as_root("modprobe", "-a", *names)
    # The file is replaced, so it has every module, also those that an earlier fix or another program loaded.
    _write(MODULES_LOAD, "".join(f"{name}\n" for name in machine.KERNEL_MODULES))
    return f"loaded {', '.join(names)} ({MODULES_LOAD})"


def stop_hosts(observed: Snapshot, declared: Declaration) -> str:
    """Stop the running hosts that are in the way; `vagrant up` in their checkout starts them again."""
    hosts = [*stale_hosts.conflicting_hosts(observed, declared), *stale_hosts.running_orphans(observed)]
    with Docker() as docker:
        process.JobRunner().run_parallel([partial(docker.stop, host) for host in hosts], len(hosts))
    return "; ".join(f"stopped {one.host} of {one.checkout}" for one in hosts)


REMEDIES: Mapping[str, Remedy] = {
    machine.DOCKER: bootstrap,
    machine.VAGRANT: bootstrap,
    machine.INOTIFY: raise_inotify,
    machine.MODULES: load_modules,
    networks.DOCKER_NETWORKS: move_docker_bridge,
    stale_hosts.STALE_HOSTS: stop_hosts,
}


def _as_root(*command: str, given: str | None = None) -> None:
    # Without a terminal nobody can type the password that sudo asks for.
    sudo = ["sudo", *([] if sys.stdin.isatty() else ["-n"])]
    _run(*([] if os.geteuid() == 0 else sudo), *command, given=given)


def _run(*command: str, given: str | None = None) -> None:
    try:
        # sudo asks for its password on the terminal, and apt takes minutes.
        process.run(command, stdin=given, share_terminal=True)
    except process.CommandError as error:
        raise MachineError(error.message, "Apply the remedy by hand.", error.output) from None


def _write(path: Path, text: str) -> None:
    _as_root("mkdir", "-p", str(path.parent))
    _as_root("tee", str(path), given=text)


def _stop_docker() -> None:
    try:
        docker = psutil.Process(int(DOCKER_PID.read_text(encoding="ascii")))
        _as_root("kill", "-TERM", str(docker.pid))
        docker.wait(DOCKER_STOP_SECONDS)
    except psutil.TimeoutExpired:
        raise MachineError(f"Docker did not stop within {DOCKER_STOP_SECONDS} s", "Restart it by hand.") from None
    except (FileNotFoundError, psutil.NoSuchProcess):
        raise MachineError(f"{DOCKER_PID} does not name Docker's process", "Restart Docker by hand.") from None
