"""Vagrant's machines of one checkout: the only module that uses python-vagrant."""

import hashlib
import json
import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from os import environ
from pathlib import Path
from typing import TextIO

import vagrant

from runner import process
from runner.errors import HostsError
from runner.machines.ssh import SshTarget
from runner.state import State

# Vagrant finishes what it does to a machine before it ends.
INTERRUPT_SECONDS = 30.0


class _Vagrant(vagrant.Vagrant):
    """python-vagrant with its programs run by runner.process, so that a signal ends them in order."""

    def __init__(self, root: Path, log: TextIO, on_line: Callable[[str], object]) -> None:
        # Vagrant would ask its publisher for a newer version.
        super().__init__(root, env={**environ, "VAGRANT_CHECKPOINT_DISABLE": "1"})  # type: ignore[no-untyped-call]
        self._log = log
        self._on_line = on_line

    def _run_vagrant_command(self, args: Sequence[str | None]) -> str:
        def write(line: str) -> None:
            self._log.write(f"{line}\n")
            self._on_line(line)

        command: list[str] = self._make_vagrant_command(args)  # type: ignore[no-untyped-call]
        return process.run(
            command, cwd=Path(self.root), env=self.env, on_line=write, interrupt_seconds=INTERRUPT_SECONDS
        )

    _call_vagrant_command = _run_vagrant_command


@dataclass(frozen=True)
class Vagrant:
    """The machines that the Vagrantfile of `checkout` defines, made by `provider`."""

    checkout: Path
    provider: str

    @property
    def _state(self) -> State:
        return State(self.checkout)

    @property
    def _directory(self) -> Path:
        return self.checkout / ".vagrant" / "machines"

    @property
    def log(self) -> Path:
        """The whole output of Vagrant's last command."""
        return self._state.vagrant_log

    @property
    def key(self) -> Path:
        """The key pair that the Vagrantfile makes."""
        return self._state.ssh_key

    @property
    def known_hosts(self) -> Path:
        """The host keys."""
        return self._state.known_hosts

    @property
    def _ssh_cache(self) -> Path:
        return self._state.ssh_config

    def machine_id(self, name: str) -> str:
        """Return Vagrant's id of a machine; empty where Vagrant knows none."""
        try:
            return (self._directory / name / self.provider / "id").read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return ""

    def any_created(self) -> bool:
        """Return True when Vagrant knows a machine of this checkout."""
        return any(self._directory.glob("*/*/id"))

    def up(self, names: Sequence[str], on_line: Callable[[str], object]) -> None:
        """Bring machines up in parallel; `on_line` gets each line of Vagrant's output."""
        with self._command("up", on_line) as command:
            command.up(_pattern(names), provider=self.provider)

    def destroy(self) -> None:
        """Remove every machine, also from Vagrant's own index."""
        with self._command("destroy") as command:
            command.destroy()
        self.clear_cache()

    def clear_cache(self) -> None:
        """Remove the ssh keys and addresses of machines that are gone."""
        self.known_hosts.unlink(missing_ok=True)
        self._ssh_cache.unlink(missing_ok=True)

    def status(self) -> dict[str, str]:
        """Return the state of each machine in Vagrant's words; takes Vagrant seconds."""
        with self._command("status") as command:
            return {found.name: found.state for found in command.status()}

    def targets(self) -> dict[str, SshTarget]:
        """Return the ssh targets of the machines that run, cached until Vagrant touches one of them again."""
        files = [f"{path} {path.stat().st_mtime_ns}" for path in sorted(self._directory.rglob("*")) if path.is_file()]
        mark = hashlib.sha256("\n".join(files).encode()).hexdigest()
        kept = json.loads(self._ssh_cache.read_text(encoding="utf-8")) if self._ssh_cache.exists() else {}
        if kept.get("mark") != mark:
            running = [name for name, state in self.status().items() if state == "running"]
            kept = {"mark": mark, "hosts": self._ssh_config(running) if running else {}}
            self._ssh_cache.write_text(json.dumps(kept, indent=2), encoding="utf-8")
        return {
            name: SshTarget(
                host=name,
                address=values["HostName"],
                port=int(values["Port"]),
                user=values["User"],
                key=Path(values["IdentityFile"]),
                known_hosts=self.known_hosts,
                host_key_alias=self.machine_id(name),
            )
            for name, values in kept["hosts"].items()
        }

    def _ssh_config(self, names: Sequence[str]) -> dict[str, dict[str, str]]:
        with self._command("ssh-config") as command:
            return parse_ssh_config(command.ssh_config(_pattern(names)))

    @contextmanager
    def _command(self, name: str, on_line: Callable[[str], object] = lambda _: None) -> Iterator[vagrant.Vagrant]:
        """Provide python-vagrant for one command with a log of its own; its errors become HostsErrors."""
        self.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self.log.open("w", encoding="utf-8") as log:
            try:
                yield _Vagrant(self.checkout, log, on_line)
            except process.CommandError as error:
                raise HostsError(
                    f"`vagrant {name}` failed with exit code {error.code}.",
                    f"Its whole output is in {self.log}.",
                    error.output,
                ) from None
            except RuntimeError as error:  # Vagrant is not installed
                raise HostsError(str(error), "`make doctor` says what is missing.") from None


def parse_ssh_config(text: str) -> dict[str, dict[str, str]]:
    """Return the sections of an OpenSSH configuration by host."""
    hosts: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        match shlex.split(line):
            case ["Host", name]:
                section = hosts.setdefault(name, {})
            case [key, value]:
                section[key] = value
    return hosts


def _pattern(names: Sequence[str]) -> str:
    """Return a regular expression of names: python-vagrant passes one argument."""
    return "/^(" + "|".join(names) + ")$/"
