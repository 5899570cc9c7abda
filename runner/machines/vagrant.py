"""Vagrant's machines of one checkout: the only module that uses python-vagrant."""

import json
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import vagrant

from runner import environment, process
from runner.errors import HostsError
from runner.machines.ssh import SshTarget
from runner.state import State

# Vagrant finishes what it does to a machine before it ends.
INTERRUPT_SECONDS = 30.0


class Vagrant(vagrant.Vagrant):
    """The machines that the Vagrantfile of `checkout` defines, made by `provider`.

    Every command is run by runner.process, so that a signal ends it in order, and has a log of its own;
    its errors become HostsErrors.
    """

    def __init__(self, checkout: Path, provider: str) -> None:
        self.state = State(checkout)
        # The next run knows by it what a killed one has left; other providers start servers, which are to stay.
        mark = {"INAETICS_RUN": f"{self.state.runs}/"} if provider == "docker" else {}
        super().__init__(checkout, env=environment.of_programs() | mark)  # type: ignore[no-untyped-call]
        self.provider = provider
        self._machines = checkout / ".vagrant" / "machines"

    def machine_id(self, name: str) -> str:
        """Return Vagrant's id of a machine; empty where Vagrant knows none."""
        try:
            return (self._machines / name / self.provider / "id").read_text("utf-8", errors="replace").strip()
        except FileNotFoundError:
            return ""

    def any_created(self) -> bool:
        """Return True when Vagrant knows a machine of this checkout."""
        return any(self._machines.glob("*/*/id"))

    def bring_up(self, names: Sequence[str], on_line: Callable[[str], object]) -> None:
        """Bring machines up in parallel; `on_line` gets each line of Vagrant's output."""
        self._run_vagrant_command(["up", _pattern(names), f"--provider={self.provider}"], on_line)

    def targets(self) -> dict[str, SshTarget]:
        """Return the ssh targets of the machines that run, cached until Vagrant touches one of them again."""
        if not self.any_created():
            return {}
        touched = {str(path): path.stat().st_mtime_ns for path in self._machines.rglob("*") if path.is_file()}
        cache = self.state.ssh_config
        kept: dict[str, Any] = {}
        with suppress(FileNotFoundError, ValueError):
            kept = dict(json.loads(cache.read_text(encoding="utf-8")))
        if kept.get("touched") != touched:
            running = [one.name for one in self.status() if one.state == "running"]
            text = self.ssh_config(_pattern(running)) if running else ""
            sections = re.split(r"^(?=Host )", text, flags=re.MULTILINE)
            hosts = [self.conf(section) for section in sections if section.startswith("Host ")]
            kept = {"touched": touched, "hosts": {host["Host"]: host for host in hosts}}
            cache.write_text(json.dumps(kept, indent=2), encoding="utf-8")
        return {
            name: self.target(name, host["HostName"], int(host["Port"]), host["User"], Path(host["IdentityFile"]))
            for name, host in kept["hosts"].items()
        }

    def target(self, name: str, address: str, port: int, user: str, key: Path) -> SshTarget:
        """Return the ssh target of a machine; its host key goes by the beginning of its id, as Docker shows it."""
        return SshTarget(name, address, port, user, key, self.state.known_hosts, self.machine_id(name)[:12])

    def _run_vagrant_command(
        self, args: Sequence[str | None], on_line: Callable[[str], object] = lambda _: None
    ) -> str:
        path = self.state.vagrant_log
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8") as log:

            def write(line: str) -> None:
                log.write(f"{line}\n")
                on_line(line)

            try:
                command: list[str] = self._make_vagrant_command(args)
                return process.run(
                    command, cwd=Path(self.root), env=self.env, on_line=write, interrupt_seconds=INTERRUPT_SECONDS
                )
            except process.CommandError as error:
                message = f"`vagrant {args[0]}` failed with exit code {error.code}."
                raise HostsError(message, f"Its whole output is in {path}.", error.output) from None
            except RuntimeError as error:  # Vagrant is not installed
                raise HostsError(str(error), "`make doctor` says what is missing.") from None

    _call_vagrant_command = _run_vagrant_command


def _pattern(names: Sequence[str]) -> str:
    """Return a regular expression of names: python-vagrant passes one argument."""
    return f"/^({'|'.join(names)})$/"
