"""The cache: files addressed by content, shared by every checkout.

blobs/SHA256           a file, complete and synced before it has its name
recipes/KEY.json       what a recipe (a component at a version, a root file system …) gave: names and sums
releases/ID/           what hosts use: hard links into blobs, and the registry's storage as one tar
toolchains/VERSION/    Go, on a machine that has none
tmp/                   unfinished work; whatever lies here when nobody holds the lock is left over
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
class Recipe:
    """Everything that determines an artifact: the same inputs need not be downloaded or built twice."""

    kind: str
    name: str
    inputs: Mapping[str, Any]

    @property
    def key(self) -> str:
        """The name under which the cache and a mirror keep what this recipe gives."""
        return digest({"kind": self.kind, "name": self.name, "inputs": self.inputs})


@dataclass(frozen=True)
class Blob:
    """A file in the cache."""

    sha256: str
    path: Path


class Record(BaseModel):
    """What recipes/KEY.json says."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: str
    name: str
    files: dict[str, Sha256]


def digest(data: object) -> str:
    """The SHA-256 of data, the same for the same data."""
    return hashlib.sha256(json.dumps(data, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """The SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def tree_digest(files: Mapping[str, Path]) -> str:
    """The SHA-256 of files' names, contents and whether they can be executed."""
    return digest({name: [file_digest(path), os.access(path, os.X_OK)] for name, path in files.items()})


class Cache:
    """The cache below `root`, which is made where it does not exist."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.blobs, self.recipes, self.releases, self.toolchains, self.tmp = (
            root / name for name in ("blobs", "recipes", "releases", "toolchains", "tmp")
        )
        for directory in (self.blobs, self.recipes, self.releases, self.toolchains, self.tmp):
            directory.mkdir(parents=True, exist_ok=True)
        # Hosts read this below a mount as users of their own, whatever the workstation's umask says.
        self.releases.chmod(0o755)

    @contextmanager
    def locked(self, waiting: Callable[[], None]) -> Iterator[None]:
        """Hold the cache for oneself; `waiting` is called once if another process holds it."""
        with (self.root / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waiting()
                fcntl.flock(lock, fcntl.LOCK_EX)
            # Only a process that was killed leaves anything here, and it holds the lock no more.
            for leftover in self.tmp.iterdir():
                shutil.rmtree(leftover)
            yield

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A directory for unfinished work, in the cache's file system and gone afterwards."""
        path = Path(tempfile.mkdtemp(dir=self.tmp))
        try:
            yield path
        finally:
            shutil.rmtree(path)

    def lookup(self, recipe: Recipe) -> dict[str, Blob] | None:
        """What the recipe gave before, if all of it is still there."""
        try:
            record = Record.model_validate_json((self.recipes / f"{recipe.key}.json").read_bytes())
        except (FileNotFoundError, ValidationError):
            return None
        found = {name: Blob(sha256, self.blobs / sha256) for name, sha256 in record.files.items()}
        return found if all(blob.path.is_file() for blob in found.values()) else None

    def keep(self, recipe: Recipe, files: Mapping[str, Path], mode: int = 0o644) -> dict[str, Blob]:
        """Move finished files into the cache and remember that the recipe gave them."""
        kept: dict[str, Blob] = {}
        for name, path in files.items():
            path.chmod(mode)
            sha256 = file_digest(path)
            kept[name] = Blob(sha256, self.blobs / sha256)
            publish(path, kept[name].path)
        record = Record(kind=recipe.kind, name=recipe.name, files={name: blob.sha256 for name, blob in kept.items()})
        with self.scratch() as scratch:
            path = scratch / "record"
            path.write_text(record.model_dump_json(indent=2) + "\n", "utf-8")
            publish(path, self.recipes / f"{recipe.key}.json")
        return kept


def publish(source: Path, target: Path) -> None:
    """Give finished work its name: all of it is on the disk before anybody sees it."""
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
