"""What `doctor --fix` does: the remedies that can be taken back and that nobody else's work depends on."""

import os
import select
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from runner.declaration.model import Declaration
from runner.doctor import leftovers, machine, networks
from runner.doctor.findings import Snapshot
from runner.errors import MachineError
from runner.machines.containers import Docker
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


def move_docker_bridge(seen: Snapshot, declared: Declaration) -> str:
    """Restart a Docker in which nothing runs, with a bridge apart from the hosts' network."""
    if Path("/run/systemd/system").exists():
        _as_root("systemctl", "stop", "docker.socket", "docker.service")
    else:
        pid = int(DOCKER_PID.read_text(encoding="ascii"))
        descriptor = os.pidfd_open(pid)
        _as_root("kill", "-TERM", str(pid))
        _wait_for_end(descriptor)
    _write(networks.DAEMON_JSON, networks.SETTINGS)
    bootstrap(seen, declared)
    return f"moved Docker's bridge to {networks.BRIDGE} ({networks.DAEMON_JSON})"


def raise_inotify(seen: Snapshot, declared: Declaration) -> str:
    """Raise the limits that are too low, now and for later starts of the machine."""
    values = {
        f"fs.inotify.{name}": value
        for name, value in machine.inotify_needed(declared).items()
        if seen.inotify[name] < value
    }
    settings = [f"{name}={value}" for name, value in values.items()]
    _write(SYSCTL, "".join(f"{setting}\n" for setting in settings))
    _as_root("sysctl", "-q", "-p", str(SYSCTL))
    return f"set {', '.join(settings)} ({SYSCTL})"


def load_modules(seen: Snapshot, _: Declaration) -> str:
    """Load the kernel modules that hosts need, now and at later starts of the machine."""
    names = machine.modules_missing(seen)
    _as_root("modprobe", "-a", *names)
    _write(MODULES_LOAD, "".join(f"{name}\n" for name in names))
    return f"loaded {', '.join(names)} ({MODULES_LOAD})"


def clear_hosts(seen: Snapshot, declared: Declaration) -> str:
    """Stop hosts of other checkouts that hold the addresses; remove those that nobody knows."""
    rivals = leftovers.rival_hosts(seen, declared)
    with Docker() as docker, ThreadPoolExecutor() as pool:
        list(pool.map(docker.stop, rivals))
        list(pool.map(docker.remove, seen.orphans))
    done = [f"stopped {one.host} of {one.checkout}" for one in rivals]
    done += [f"removed {one.host}, left over from {one.checkout}" for one in seen.orphans]
    return "; ".join(done)


REMEDIES: Mapping[str, Remedy] = {
    machine.DOCKER: bootstrap,
    machine.VAGRANT: bootstrap,
    machine.INOTIFY: raise_inotify,
    machine.MODULES: load_modules,
    networks.DOCKER_NETWORKS: move_docker_bridge,
    leftovers.STALE_HOSTS: clear_hosts,
}


def _as_root(*command: str, given: str | None = None) -> None:
    # Without a terminal nobody could answer sudo's question.
    sudo = ["sudo", *([] if sys.stdin.isatty() else ["-n"])]
    _run(*([] if os.geteuid() == 0 else sudo), *command, given=given)


def _run(*command: str, given: str | None = None) -> None:
    try:
        subprocess.run(command, input=given, capture_output=True, text=True, check=True)
    except FileNotFoundError as error:
        raise MachineError(f"{error.filename} is not installed here", "Apply the remedy by hand.") from None
    except subprocess.CalledProcessError as error:
        raise MachineError(
            f"`{' '.join(command)}` failed with exit code {error.returncode}",
            "Apply the remedy by hand.",
            (error.stderr or error.stdout).strip(),
        ) from None


def _write(path: Path, text: str) -> None:
    _as_root("mkdir", "-p", str(path.parent))
    _as_root("tee", str(path), given=text)


def _wait_for_end(descriptor: int) -> None:
    readable, _, _ = select.select([descriptor], [], [], DOCKER_STOP_SECONDS)
    os.close(descriptor)
    if not readable:
        raise MachineError(f"Docker does not end within {DOCKER_STOP_SECONDS} s", "Restart it by hand.")
