"""A checkout on this machine: its declaration, its state below `.cluster`, and the cache that all checkouts share."""

import errno
import fcntl
import json
import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from runner.errors import LockedError, MachineError

CHECKOUT = Path(__file__).resolve().parent.parent
DECLARATION = CHECKOUT / "inventory" / "cluster.yml"
VAGRANT_INVENTORY = CHECKOUT / "inventory" / "vagrant.py"  # of the declared hosts
MAX_RUNS = 20  # directories of runs that are kept
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_ACCESS = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.EXDEV, errno.EIO)


def relative_to_cwd(path: Path) -> Path:
    """Return a path as a person would type it in the current directory."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def cache_directory() -> Path:
    """Return the cache of this user's checkouts, as the XDG Base Directory Specification has it."""
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (given if given.is_absolute() else Path.home() / ".cache") / "inaetics-demo-cluster"


@contextmanager
def os_errors_translated() -> Iterator[None]:
    """Turn a full disk, and files that this user cannot use, into a MachineError; other errors are a defect."""
    try:
        yield
    except OSError as error:
        if error.errno not in (*_DISK_FULL, *_NO_ACCESS):
            raise
        places = shlex.join(map(str, (CHECKOUT, cache_directory())))
        remedy = f"Check what is there; after a run with sudo, `sudo chown -R $USER {places}` makes it yours again."
        if error.errno in _DISK_FULL:
            remedy = f"Free space for {places}: 2 GB, and 14 GB for Go's caches if it has to build."
        raise MachineError(": ".join(filter(None, (error.strerror, error.filename))) + ".", remedy) from error


def write_atomically(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Write a file if it changes, so that Ctrl-C or a power cut leaves the old one or the new one."""
    if path.exists() and path.read_bytes() == content:
        return
    temporary = path.with_name(path.name + ".new")
    temporary.touch(mode)
    with temporary.open("wb", buffering=0) as file:
        file.write(content)
        os.fsync(file)
    temporary.replace(path)


class State:
    """The files of one checkout below `.cluster`, which is private to its user."""

    def __init__(self, checkout: Path = CHECKOUT) -> None:
        self.checkout = checkout
        self.directory = checkout / ".cluster"
        self.pki = self.directory / "pki"
        self.kubeconfig = self.directory / "kubeconfig"
        # Allows its reader to change what the agents run; the cluster stores only its SHA-256 sum.
        self.provisioning_token = self.directory / "provisioning-token"
        self.ssh_key = self.directory / "ssh" / "id_ed25519"
        self.known_hosts = self.directory / "ssh" / "known_hosts"
        self.ssh_config = self.directory / "ssh-config.json"
        self.vagrant_log = self.directory / "logs" / "vagrant.log"
        self.dashboard_salt = self.directory / "dashboard-salt"
        self.runs = self.directory / "runs"
        self.release = self.directory / "release"  # a link to the prepared release in the cache
        self.applied = self.directory / "applied.json"  # see runner/declaration/applied.py
        self.own_inventory = self.directory / "inventory"  # a link to it if the last `site` was run on own machines

    def create(self) -> None:
        """Create the directory unless it exists."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the checkout's lock, since two runs at once would change the same hosts.

        The kernel frees it however the process ends. Raises LockedError, with its holder's command, pid and start.
        """
        self.create()
        with (self.directory / "lock").open("a+", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                holder = "it has just started"  # and has not written its name yet
                with suppress(ValueError, TypeError, KeyError):
                    holder = "`{command}`, process {pid}, since {since}".format(**json.load(file))
                message = f"Another run is active in this checkout: {holder}."
                raise LockedError(message, "Wait until it ends, or stop it with Ctrl-C in its terminal.") from None
            file.truncate(0)
            command = shlex.join(["python", "-m", "runner", *sys.argv[1:]])
            since = datetime.now().astimezone().isoformat(timespec="seconds")
            json.dump({"pid": os.getpid(), "command": command, "since": since}, file)
            file.flush()
            yield

    def new_run(self) -> Path:
        """Create the directory of a run, named by its start, and remove the oldest ones."""
        self.runs.mkdir(mode=0o700, exist_ok=True)
        directory = self.runs / datetime.now().astimezone().strftime("%Y-%m-%dT%H.%M.%S.%f")
        directory.mkdir(mode=0o700)
        # Those of a time to come, by a clock that was wrong, count as the oldest.
        earlier = sorted((path.name <= directory.name, path) for path in self.runs.iterdir() if path.is_dir())
        for _, old in earlier[:-MAX_RUNS]:
            shutil.rmtree(old, ignore_errors=True)
        return directory
