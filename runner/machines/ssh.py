"""Ssh to a host: one set of options for the runner, the inventory and the tests.

A host's key is accepted on first use and bound to the machine's own id rather than to its
address: a host that was created again on the same port is another machine, not a changed key.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from runner.errors import HostsError
from runner.process import CommandError, JobRunner

POLL_SECONDS = 0.2
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
    def options(self) -> tuple[str, ...]:
        """OpenSSH options that hold for every connection to this host."""
        return (
            f"UserKnownHostsFile={self.known_hosts}",
            f"HostKeyAlias={self.host_key_alias}",
            "StrictHostKeyChecking=accept-new",
            "HashKnownHosts=no",  # or `host_key_known` could not read it
            "IdentitiesOnly=yes",
            "LogLevel=ERROR",
        )

    def command(self, *remote: str, batch: bool = True) -> list[str]:
        """Return an ssh command line that runs `remote`, or opens a shell; in batch mode it never asks."""
        options = [*self.options, *(("BatchMode=yes", f"ConnectTimeout={CONNECT_SECONDS}") if batch else ())]
        flags = [part for option in options for part in ("-o", option)]
        return ["ssh", *flags, "-p", str(self.port), "-l", self.user, "-i", str(self.key), self.address, *remote]

    @property
    def host_key_known(self) -> bool:
        """True when the host's key is in known_hosts."""
        try:
            lines = self.known_hosts.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return False
        return any(line.startswith(f"{self.host_key_alias} ") for line in lines)


def wait_for_ssh(
    targets: Iterable[SshTarget], seconds: float, answered: Callable[[SshTarget], None] = lambda _: None
) -> None:
    """Log in to all hosts in parallel, until each answers; adds their keys to known_hosts.

    `answered` is called with each host that does, from another thread.

    Raises:
        HostsError: a host does not answer in time; with the last output of ssh.
    """
    jobs = JobRunner()

    def log_in(target: SshTarget) -> None:
        deadline = time.monotonic() + seconds
        while True:
            try:
                jobs.run(target.command("true"), timeout=LOGIN_SECONDS)
                break
            except CommandError as error:
                if time.monotonic() > deadline:
                    raise HostsError(
                        f"{target.host} does not answer by ssh at {target.address}:{target.port} ({seconds:.0f} s).",
                        f"`vagrant reload {target.host}` restarts it.",
                        error.output,
                    ) from None
            time.sleep(POLL_SECONDS)
        answered(target)

    logins = [partial(log_in, target) for target in targets]
    jobs.run_parallel(logins, len(logins))
