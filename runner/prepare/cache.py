"""The cache: files addressed by content, shared by every checkout.

blobs/SHA256           a file, complete and synced before it gets this name
recipes/KEY.json       an entry: the files of an artifact (a component at a version, a root file system …)
releases/ID/           what hosts use: hard links into blobs, and the registry's storage as one tar archive
toolchains/VERSION/    Go, on a machine that has none
tmp/                   unfinished work; what is here while nobody holds the lock is left over
lock
"""

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from runner.prepare.catalogue import Sha256


@dataclass(frozen=True)
class CacheKey:
    """Everything that determines an artifact: with the same inputs it is neither downloaded nor built again."""

    kind: str
    name: str
    inputs: Mapping[str, Any]

    @property
    def sha256(self) -> str:
        """Return the name of the artifact's entry, in the cache and in a mirror."""
        return digest({"kind": self.kind, "name": self.name, "inputs": self.inputs})


@dataclass(frozen=True)
class Blob:
    """A file in the cache."""

    sha256: str
    path: Path


class CacheEntry(BaseModel):
    """The content of recipes/KEY.json: the artifact's files by name with their SHA-256."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: str
    name: str
    files: dict[str, Sha256]


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


class Cache:
    """The cache below `root`, which is created if it does not exist."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.blobs, self.recipes, self.releases, self.toolchains, self.tmp = (
            root / name for name in ("blobs", "recipes", "releases", "toolchains", "tmp")
        )
        for directory in (self.blobs, self.recipes, self.releases, self.toolchains, self.tmp):
            directory.mkdir(parents=True, exist_ok=True)
        # Hosts read releases through a mount as users of their own, whatever this user's umask says.
        self.releases.chmod(0o755)

    @contextmanager
    def locked(self, on_wait: Callable[[], None]) -> Iterator[None]:
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
        path = Path(tempfile.mkdtemp(dir=self.tmp))
        try:
            yield path
        finally:
            shutil.rmtree(path)

    def lookup(self, key: CacheKey) -> dict[str, Blob] | None:
        """Return the artifact's files by name, or None unless all of them are in the cache."""
        try:
            entry = CacheEntry.model_validate_json((self.recipes / f"{key.sha256}.json").read_bytes())
        except (FileNotFoundError, ValidationError):
            return None
        blobs = {name: Blob(sha256, self.blobs / sha256) for name, sha256 in entry.files.items()}
        return blobs if all(blob.path.is_file() for blob in blobs.values()) else None

    def store(self, key: CacheKey, files: Mapping[str, Path], mode: int = 0o644) -> dict[str, Blob]:
        """Move an artifact's finished files into the cache and give them `mode`."""
        blobs: dict[str, Blob] = {}
        for name, path in files.items():
            path.chmod(mode)
            sha256 = file_digest(path)
            blobs[name] = Blob(sha256, self.blobs / sha256)
            publish(path, blobs[name].path)
        entry = CacheEntry(kind=key.kind, name=key.name, files={name: blob.sha256 for name, blob in blobs.items()})
        with self.scratch() as scratch:
            path = scratch / "entry"
            path.write_text(entry.model_dump_json(indent=2) + "\n", "utf-8")
            publish(path, self.recipes / f"{key.sha256}.json")
        return blobs


def publish(source: Path, target: Path) -> None:
    """Give finished work its final name, after all of it is on the disk."""
    for path in [source, *source.rglob("*")] if source.is_dir() else [source]:
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
