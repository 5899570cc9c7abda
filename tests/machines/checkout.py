"""A checkout of its own, with two hosts in a network of its own, beside whatever cluster runs."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runner import doctor
from runner.declaration.model import Declaration, load
from runner.events import Event
from runner.machines import hosts
from runner.machines.containers import Container, Docker
from runner.machines.ssh import SshTarget
from runner.state import CHECKOUT, DECLARATION, State

PARTS = ("Vagrantfile", "ansible.cfg", "group_vars", "inventory", "runner")
WHOLE = (*PARTS, "artifacts", "demonstrator", "playbooks", "roles", "tests")
NETWORK = "172.31.254"


def renumbered(text: str, network: str) -> str:
    """Return a text of this checkout with its hosts' addresses in another network, given by its first three numbers."""
    return text.replace(str(load(DECLARATION).controller.address).rpartition(".")[0] + ".", f"{network}.")


def copy_checkout(directory: Path, parts: Sequence[str] = ()) -> None:
    """Copy parts of this checkout, or all but its hidden files; without a user's own settings, with its environment."""
    directory.mkdir()
    unwanted = shutil.ignore_patterns("__pycache__", "local.yml", "static.yml")
    for source in [CHECKOUT / part for part in parts] or CHECKOUT.glob("[!.]*"):
        if source.is_dir():
            shutil.copytree(source, directory / source.name, symlinks=True, ignore=unwanted)
        else:
            shutil.copy(source, directory)
    (directory / ".venv").symlink_to(CHECKOUT / ".venv")


@dataclass(frozen=True)
class Checkout:
    """A copy of what makes hosts; its release is the one that this checkout uses."""

    directory: Path

    @classmethod
    def make(cls, directory: Path, parts: Sequence[str] = PARTS, network: str = NETWORK) -> "Checkout":
        copy_checkout(directory, parts)
        declaration = directory / "inventory" / "cluster.yml"
        text = renumbered(declaration.read_text(encoding="utf-8"), network)
        declaration.write_text(text.replace("count: 5", "count: 1"), encoding="utf-8")
        (directory / ".cluster").mkdir(mode=0o700)
        (directory / ".cluster" / "release").symlink_to(State().release.resolve(strict=True))
        return cls(directory)

    @property
    def declared(self) -> Declaration:
        return load(self.directory / "inventory" / "cluster.yml")

    def up(self, *names: str) -> list[Event]:
        """Raise these hosts, or all, as `site` does, and return the events."""
        events: list[Event] = []
        for finding in doctor.examine(self.declared, checkout=self.directory):
            if finding.check.startswith("kernel") and finding.fix:
                finding.fix()
        hosts.up(self.declared, events.append, names or None, checkout=self.directory)
        return events

    def destroy(self) -> None:
        hosts.destroy(self.declared, lambda _: None, checkout=self.directory)

    def status(self) -> dict[str, str]:
        return hosts.status(self.declared, checkout=self.directory)

    def target(self, name: str) -> SshTarget:
        return hosts.ssh_config(self.declared, checkout=self.directory)[name]

    def containers(self) -> dict[str, Container]:
        with Docker() as docker:
            return {one.host: one for one in docker.containers(self.directory)}

    def on(self, name: str, command: str) -> str:
        """Return the output of a command on a host, by ssh as any user reaches it."""
        run = subprocess.run(self.target(name).command(command), capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr
        return run.stdout.strip()

    def run(self, *command: str, **variables: str) -> str:
        """Return the output of a program in the checkout."""
        path = f"{self.directory / '.venv' / 'bin'}:{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, **variables}
        run = subprocess.run(command, cwd=self.directory, env=environment, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stdout + run.stderr
        return run.stdout
