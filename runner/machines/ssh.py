"""How one host is reached by ssh, said once for the runner, the inventory and the tests.

A host's key is learnt on first use and bound to the machine's own identity rather than to its
address: a host that was made anew on the same port is another machine, not a changed key.
"""

import subprocess
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from runner.errors import HostsError

POLL_SECONDS = 0.2
CONNECT_SECONDS = 5


@dataclass(frozen=True)
class SshTarget:
    """Where and as whom a host answers. `identity` tells this machine from any other."""

    host: str
    address: str
    port: int
    user: str
    key: Path
    known_hosts: Path
    identity: str

    @property
    def options(self) -> tuple[str, ...]:
        """OpenSSH options that hold for every connection to this host."""
        return (
            f"UserKnownHostsFile={self.known_hosts}",
            f"HostKeyAlias={self.identity}",
            "StrictHostKeyChecking=accept-new",
            "HashKnownHosts=no",  # or `known` could not read it
            "IdentitiesOnly=yes",
            "LogLevel=ERROR",
        )

    def command(self, *remote: str, batch: bool = True) -> list[str]:
        """An ssh command line that runs `remote`, or opens a shell; in batch mode it never asks."""
        options = [*self.options, *(("BatchMode=yes", f"ConnectTimeout={CONNECT_SECONDS}") if batch else ())]
        flags = [part for option in options for part in ("-o", option)]
        where = ["-p", str(self.port), "-l", self.user, "-i", str(self.key), self.address]
        return ["ssh", *flags, *where, *remote]

    @property
    def known(self) -> bool:
        """Whether the host's key was learnt already."""
        try:
            lines = self.known_hosts.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return False
        return any(line.startswith(f"{self.identity} ") for line in lines)


def greet(targets: Iterable[SshTarget], seconds: float, answered: Callable[[SshTarget], None]) -> None:
    """Log in to every host, all at once, until each answers; learns their keys.

    Raises:
        HostsError: when a host does not answer in time, with what ssh said last.
    """
    targets = list(targets)
    if not targets:
        return
    with ThreadPoolExecutor(max_workers=len(targets)) as pool:
        for target in pool.map(lambda target: _log_in(target, seconds), targets):
            answered(target)


def _log_in(target: SshTarget, seconds: float) -> SshTarget:
    deadline = time.monotonic() + seconds
    while True:
        tried = subprocess.run(target.command("true"), capture_output=True, text=True, check=False)
        if tried.returncode == 0:
            return target
        if time.monotonic() > deadline:
            raise HostsError(
                f"{target.host} does not answer by ssh at {target.address}:{target.port} after {seconds:.0f} s",
                "`vagrant reload " + target.host + "` starts it anew.",
                tried.stderr.strip(),
            )
        time.sleep(POLL_SECONDS)
