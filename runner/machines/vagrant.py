"""Vagrant's machines of one checkout; python-vagrant stays behind this module."""

import hashlib
import json
import shlex
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from os import environ
from pathlib import Path

import vagrant

from runner.errors import HostsError
from runner.machines.ssh import SshTarget
from runner.state import State

LINES_OF_FAILURE = 15


@dataclass(frozen=True)
class Machines:
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
        """The hosts' own keys, as they were learnt."""
        return self._state.known_hosts

    @property
    def _ssh_cache(self) -> Path:
        return self._state.ssh_config

    def identity(self, name: str) -> str:
        """Vagrant's id of a machine; empty where Vagrant knows none."""
        try:
            return (self._directory / name / self.provider / "id").read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return ""

    def exist(self) -> bool:
        """Whether Vagrant knows any machine here."""
        return any(self._directory.glob("*/*/id"))

    def up(self, names: Sequence[str]) -> Iterator[str]:
        """Bring machines up side by side; yields Vagrant's lines as they come."""
        with _interrupts_deferred(), self._explained("vagrant up"), self.log.open("a", encoding="utf-8") as log:
            for line in self._vagrant().up(_pattern(names), provider=self.provider, stream_output=True):
                log.write(line)
                yield line

    def destroy(self) -> None:
        """Remove every machine, also from Vagrant's own books."""
        with _interrupts_deferred(), self._explained("vagrant destroy"):
            self._vagrant().destroy()
        self.forget()

    def forget(self) -> None:
        """Drop what was learnt about machines that are gone."""
        self.known_hosts.unlink(missing_ok=True)
        self._ssh_cache.unlink(missing_ok=True)

    def status(self) -> dict[str, str]:
        """The state of each machine in Vagrant's words; takes Vagrant seconds."""
        with self._explained("vagrant status"):
            return {found.name: found.state for found in self._vagrant().status()}

    def targets(self) -> dict[str, SshTarget]:
        """What `vagrant ssh-config` says of the machines that run, kept until Vagrant touches one of them again."""
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
                identity=self.identity(name),
            )
            for name, values in kept["hosts"].items()
        }

    def _ssh_config(self, names: Sequence[str]) -> dict[str, dict[str, str]]:
        with self._explained("vagrant ssh-config"):
            return parse_ssh_config(self._vagrant().ssh_config(_pattern(names)))

    def _vagrant(self) -> vagrant.Vagrant:
        # Vagrant would ask its publisher for a newer version.
        env = {**environ, "VAGRANT_CHECKPOINT_DISABLE": "1"}
        log = vagrant.make_file_cm(self.log)
        return vagrant.Vagrant(self.checkout, env=env, out_cm=log, err_cm=log)

    @contextmanager
    def _explained(self, command: str) -> Iterator[None]:
        """Start the log anew and turn a failure into an error that shows its end."""
        self.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.log.write_text("", encoding="utf-8")
        try:
            yield
        except subprocess.CalledProcessError as error:
            with self.log.open(encoding="utf-8", errors="replace") as log:
                last = deque(log, LINES_OF_FAILURE)
            raise HostsError(
                f"`{command}` failed with exit code {error.returncode}",
                f"Its whole output is in {self.log}.",
                "".join(last).strip(),
            ) from None


def parse_ssh_config(text: str) -> dict[str, dict[str, str]]:
    """The sections of an OpenSSH configuration by host."""
    hosts: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        match shlex.split(line):
            case ["Host", name]:
                section = hosts.setdefault(name, {})
            case [key, value]:
                section[key] = value
    return hosts


def _pattern(names: Sequence[str]) -> str:
    """Vagrant takes one name or a regular expression; python-vagrant passes one argument."""
    return "/^(" + "|".join(names) + ")$/"


@contextmanager
def _interrupts_deferred() -> Iterator[None]:
    """Let Vagrant, which the terminal's Ctrl-C reaches too, put its books in order before this run ends."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    interrupts: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: interrupts.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if interrupts:
            raise KeyboardInterrupt
