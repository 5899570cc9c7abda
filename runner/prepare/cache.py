"""The cache: files addressed by content, shared by every checkout; digests and archives of files.

blobs/SHA256           a file, complete and synced before it gets this name
recipes/KEY.json       an entry: the files of an artifact (a component at a version, a root file system …)
releases/ID/           what hosts use: hard links into blobs, and the registry's storage as one tar archive
uses/DIGEST.json       what a checkout uses of it, see uses.py
toolchains/VERSION/    Go, on a machine that has none
tmp/                   unfinished work; what is here while nobody holds the lock is left over
lock
"""

import fcntl
import hashlib
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from runner.prepare.catalogue import Sha256

# The modification time of every file that a build makes (9 October 2025), so that equal files give equal bytes.
EPOCH = 1760000000


@dataclass(frozen=True)
class CacheKey:
    """Everything that determines an artifact: with the same inputs it is neither downloaded nor built again."""

    kind: str
    name: str
    inputs: dict[str, Any]

    @property
    def sha256(self) -> str:
        """The name of the artifact's entry, in the cache and in a mirror."""
        return digest(asdict(self))


class CacheEntry(BaseModel, frozen=True, extra="forbid"):
    """The content of recipes/KEY.json: the artifact's files by name with their SHA-256."""

    kind: str
    name: str
    files: dict[str, Sha256]


def files_below(directory: Path) -> dict[str, Path]:
    """Return every file below a directory by its relative name, sorted."""
    return {path.relative_to(directory).as_posix(): path for path in sorted(directory.rglob("*")) if path.is_file()}


def pack(target: Path, files: Mapping[str, Path]) -> None:
    """Write a tar archive of files, by their names in it; everything belongs to root and has the same time."""
    directories = {str(parent) for name in files for parent in Path(name).parents} - {"."}
    with tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as tar:
        for name in sorted(directories | set(files)):
            entry = tarfile.TarInfo(name)
            entry.mtime = EPOCH
            if name in directories:
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(entry)
            else:
                entry.mode = 0o755 if os.access(files[name], os.X_OK) else 0o644
                entry.size = files[name].stat().st_size
                with files[name].open("rb") as content:
                    tar.addfile(entry, content)


def digest(data: object) -> str:
    """Return the SHA-256 of data that JSON can express."""
    return hashlib.sha256(json.dumps(data, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def tree_digest(files: Mapping[str, Path]) -> str:
    """Return the SHA-256 of the names of files, their contents and whether they are executable."""
    return digest({name: [file_digest(path), os.access(path, os.X_OK)] for name, path in files.items()})


def checksums(blobs: Mapping[str, Path]) -> dict[str, str]:
    """Return the SHA-256 of files in the cache, whose names there they are."""
    return {name: blob.name for name, blob in blobs.items()}


class Cache:
    """The cache below `root`, which is created if it does not exist; a blob is the path of a file in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.blobs, self.recipes, self.releases, self.uses, self.toolchains, self.tmp = directories = [
            root / name for name in ("blobs", "recipes", "releases", "uses", "toolchains", "tmp")
        ]
        for directory in directories:
            directory.mkdir(parents=True, exist_ok=True)
        # Hosts read releases through a mount as users of their own, whatever this user's umask says.
        self.releases.chmod(0o755)

    @contextmanager
    def locked(self, on_wait: Callable[[], object]) -> Iterator[None]:
        """Hold the cache's lock; `on_wait` is called once if another process holds it."""
        with (self.root / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                on_wait()
                fcntl.flock(lock, fcntl.LOCK_EX)
            # Only a killed process leaves anything here, and it no longer holds the lock.
            for leftover in self.tmp.iterdir():
                shutil.rmtree(leftover)
            yield

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Create a directory for unfinished work in the cache's file system, and remove it afterwards."""
        with tempfile.TemporaryDirectory(dir=self.tmp) as path:
            yield Path(path)

    def lookup(self, key: CacheKey) -> dict[str, Path] | None:
        """Return the artifact's blobs by name, or None unless all of them are in the cache."""
        try:
            entry = CacheEntry.model_validate_json((self.recipes / f"{key.sha256}.json").read_bytes())
        except (FileNotFoundError, ValidationError):
            return None
        blobs = {name: self.blobs / sha256 for name, sha256 in entry.files.items()}
        return blobs if all(blob.is_file() for blob in blobs.values()) else None

    def store(self, key: CacheKey, files: Mapping[str, Path]) -> dict[str, Path]:
        """Move an artifact's finished files into the cache, and return the blobs by name."""
        blobs = {name: self.blobs / file_digest(path) for name, path in files.items()}
        for name, path in files.items():
            path.chmod(0o755 if key.kind == "binaries" else 0o644)
            publish(path, blobs[name])
        entry = CacheEntry(kind=key.kind, name=key.name, files=checksums(blobs))
        with self.scratch() as scratch:
            path = scratch / "entry"
            path.write_text(entry.model_dump_json(indent=2) + "\n", "utf-8")
            publish(path, self.recipes / f"{key.sha256}.json")
        return blobs


def publish(source: Path, target: Path) -> None:
    """Give finished work its final name, after all of it is on the disk."""
    for path in [source, *source.rglob("*")]:
        if not path.is_symlink():
            _sync(path)
    source.rename(target)
    _sync(target.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
