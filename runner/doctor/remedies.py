"""The remedies of `doctor --fix`: each can be undone, disturbs nobody else's work, and returns what it did."""

import os
import re
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from runner import environment, process
from runner.doctor.snapshot import DAEMON_JSON
from runner.errors import MachineError
from runner.machines import Container, Docker
from runner.state import CHECKOUT

# Docker's default bridge, apart from the demo network; runner/bootstrap.sh gives a new Docker the same.
BRIDGE = "172.31.255.1/24"
DOCKER_SETTINGS = f'{{\n  "bip": "{BRIDGE}"\n}}\n'
SYSCTL = Path("/etc/sysctl.d/90-inaetics-demo-cluster.conf")
MODULES_LOAD = Path("/etc/modules-load.d/inaetics-demo-cluster.conf")


def bootstrap() -> str:
    """Install what is missing and start Docker."""
    _run(str(CHECKOUT / "runner" / "bootstrap.sh"), as_root=False)
    return "installed what was missing and started Docker"


def move_docker_bridge() -> str:
    """Restart Docker, in which nothing runs, with a bridge outside the hosts' network."""
    if Path("/run/systemd/system").exists():
        _run("systemctl", "stop", "docker.socket", "docker.service")
    else:
        docker = ("--pidfile", "/var/run/docker.pid", "--name", "dockerd")
        _run("start-stop-daemon", "--stop", "--retry", "TERM/30", *docker)
    _write(DAEMON_JSON, DOCKER_SETTINGS)
    bootstrap()
    return f"moved Docker's bridge to {BRIDGE} ({DAEMON_JSON})"


def set_kernel(settings: Mapping[str, tuple[int, int]]) -> str:
    """Set every setting, now and for later starts of the machine, given what each is and what it becomes.

    The file is replaced, so a part would not do. What a setting was before the first fix stays in it, for `undo`.
    """
    before = {name: old for name, (old, _) in settings.items()} | _before()
    lines = [f"# before: {name}={before[name]}\n{name}={value}\n" for name, (_, value) in settings.items()]
    _write(SYSCTL, "".join(lines))
    _run("sysctl", "-q", "-p", str(SYSCTL))
    changed = [f"{name}={value} (it was {old})" for name, (old, value) in settings.items() if old != value]
    return f"set {', '.join(changed)} ({SYSCTL})"


def undo() -> list[str]:
    """Take back what fixes have changed of the kernel; loaded modules stay until the machine starts again."""
    done = []
    if settings := [f"{name}={value}" for name, value in _before().items()]:
        _run("sysctl", "-q", "-w", *settings)
        done.append(f"set {', '.join(settings)} again")
    for path in (SYSCTL, MODULES_LOAD):
        if path.exists():
            _run("rm", str(path))
            done.append(f"removed {path}")
    return done


def _before() -> dict[str, int]:
    """Return the settings as they were before the first fix."""
    text = SYSCTL.read_text("utf-8") if SYSCTL.exists() else ""
    return {name: int(value) for name, value in re.findall(r"(?m)^# before: ([\w.]+)=(\d+)$", text)}


def load_modules(modules: Mapping[str, bool]) -> str:
    """Load those modules that are not there, and have all of them loaded at later starts of the machine."""
    missing = [name for name, is_there in modules.items() if not is_there]
    _run("modprobe", "-a", *missing)
    # The file is replaced, so it has every module, also those that an earlier fix or another program loaded.
    _write(MODULES_LOAD, "".join(f"{name}\n" for name in modules))
    return f"loaded {', '.join(missing)} ({MODULES_LOAD})"


def stop_hosts(hosts: Sequence[Container]) -> str:
    """Stop running hosts that are in the way; `vagrant up` in their checkout starts them again."""
    with Docker() as docker:
        process.JobRunner().run_parallel([partial(docker.stop, host) for host in hosts], len(hosts))
    return "; ".join(f"stopped {one.host} of {one.checkout}" for one in hosts)


def _run(*command: str, given: str | None = None, as_root: bool = True) -> None:
    # Without a terminal nobody can type the password that sudo asks for.
    sudo = ["sudo", *([] if sys.stdin.isatty() else ["-n"])] if as_root and os.geteuid() else []
    try:
        # sudo asks for its password on the terminal, and apt takes minutes.
        process.run([*sudo, *command], env=environment.of_downloads(), stdin=given, share_terminal=True)
    except process.CommandError as error:
        raise MachineError(error.message, "Apply the remedy by hand.", error.output) from None


def _write(path: Path, text: str) -> None:
    _run("mkdir", "-p", str(path.parent))
    _run("tee", str(path), given=text)
