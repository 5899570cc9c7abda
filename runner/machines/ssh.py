"""Ssh to a host: one set of options for the runner, the inventory and the tests.

A host's key is accepted on first use and bound to the machine's own id rather than to its
address: a host that was created again on the same port is another machine, not a changed key.
"""

import json
import shlex
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from runner.declaration import Machine
from runner.declaration.applied import REMAKE
from runner.errors import HostsError
from runner.process import CommandError, JobRunner

POLL_SECONDS = 0.2
LOGINS_PER_SECOND = 30  # at the most, of all hosts together: each takes 10 to 20 ms of a CPU that boots them
CONNECT_SECONDS = 5
# A host that boots may take a connection and say nothing for a while.
LOGIN_SECONDS = 20


@dataclass(frozen=True)
class SshTarget:
    """Address, user and key of a host. `host_key_alias` is the name of this machine's key in known_hosts."""

    host: str
    address: str
    port: int
    user: str
    key: Path
    known_hosts: Path
    host_key_alias: str

    @property
    def arguments(self) -> list[str]:
        """Arguments of OpenSSH for every connection to this host; a person's configuration is for other machines."""
        options = (
            f"UserKnownHostsFile={_quoted(self.known_hosts)}",
            f"HostKeyAlias={self.host_key_alias}",
            "StrictHostKeyChecking=accept-new",
            f"IdentityFile={_quoted(self.key)}",
            "IdentitiesOnly=yes",
            "LogLevel=ERROR",
        )
        return ["-F", "none", *(part for option in options for part in ("-o", option))]

    def command(self, *remote: str, batch: bool = True) -> list[str]:
        """Return an ssh command line that runs `remote`, or opens a shell; in batch mode it never asks."""
        unattended = ["-o", "BatchMode=yes", "-o", f"ConnectTimeout={CONNECT_SECONDS}"] if batch else []
        place = ["-p", str(self.port), "-l", self.user, self.address]
        return ["ssh", *self.arguments, *unattended, *place, *remote]


def own_command(machine: Machine, *remote: str) -> list[str]:
    """Return an ssh command line to a person's own machine, which is reached as Ansible reaches it."""
    flags = {"-p": "ansible_port", "-l": "ansible_user", "-i": "ansible_ssh_private_key_file"}
    given = [part for flag, name in flags.items() if (value := machine.connection[name]) for part in (flag, str(value))]
    common, address = (machine.connection[f"ansible_{name}"] for name in ("ssh_common_args", "host"))
    return ["ssh", *shlex.split(common), *given, address or machine.name, *remote]


def _quoted(path: Path) -> str:
    """Return a path as a value of OpenSSH's options, which split at blanks and replace what follows a percent sign."""
    return json.dumps(str(path), ensure_ascii=False).replace("%", "%%")


def wait_for_ssh(
    targets: Iterable[SshTarget], seconds: float, answered: Callable[[SshTarget], None] = lambda _: None
) -> None:
    """Log in to all hosts in parallel, until each answers; adds their keys to known_hosts.

    `answered` is called with each host that does, from another thread; raises HostsError for one that does not.
    """
    jobs = JobRunner()
    targets = list(targets)
    pause = max(POLL_SECONDS, len(targets) / LOGINS_PER_SECOND)

    def log_in(target: SshTarget) -> None:
        deadline = time.monotonic() + seconds
        while True:
            try:
                jobs.run(target.command("true"), timeout=LOGIN_SECONDS)
                break
            except CommandError as error:
                place = f"{target.host}, at {target.address}:{target.port},"
                if "Permission denied (publickey" in error.output:  # it will not learn of another key
                    message = f"{place} does not accept the key {target.key}: it was made with another one."
                    raise HostsError(message, f"Put that key back; or {REMAKE}.", error.output) from None
                if time.monotonic() > deadline:
                    message = f"{place} does not answer by ssh ({seconds:.0f} s)."
                    remedy = f"`vagrant reload {target.host}` restarts it."
                    raise HostsError(message, remedy, error.output) from None
            time.sleep(pause)
        answered(target)

    logins = [partial(log_in, target) for target in targets]
    jobs.run_parallel(logins, len(logins))
