"""A bundle's archive: checked against its digest, and stored where Python can import from it."""

import hashlib
import importlib
import io
import os
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from demonstrator.lib import codec
from demonstrator.platform import manifest
from demonstrator.platform.manifest import Manifest, Offer


class BundleError(Exception):
    """A bundle that cannot be used, with the reason."""


class DamagedError(BundleError):
    """The fetched archive has another digest than the offered one: the next attempt may bring the right one."""


@dataclass(frozen=True, slots=True)
class Archive:
    """A checked archive in this agent's own directory."""

    manifest: Manifest
    digest: str
    path: Path

    def __str__(self) -> str:
        return f"{self.manifest.name} {self.manifest.version}"

    def open(self) -> None:
        """Let Python import from it; raises BundleError if its module exists already."""
        if self.manifest.module in sys.modules:
            raise BundleError(f"module {self.manifest.module} exists already: a bundle needs one of its own")
        sys.path.insert(0, str(self.path))
        importlib.invalidate_caches()

    def close(self) -> None:
        """Remove its modules and its entries in Python's search path, so that none of its code is found again."""
        module, path = self.manifest.module, str(self.path)
        for name in [name for name in sys.modules if name == module or name.startswith(f"{module}.")]:
            del sys.modules[name]
        sys.path.remove(path)
        for entry in [entry for entry in sys.path_importer_cache if entry == path or entry.startswith(path + os.sep)]:
            del sys.path_importer_cache[entry]


def store(content: bytes, offer: Offer, directory: Path) -> Archive:
    """Store the archive that is offered in `directory`; raises BundleError unless it is one, with the right digest."""
    if (found := f"sha256:{hashlib.sha256(content).hexdigest()}") != offer.digest:
        raise DamagedError(f"{offer.name} {offer.version} has digest {found}, expected {offer.digest}")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parsed = manifest.parse(archive.read(manifest.FILE_NAME))
    except (zipfile.BadZipFile, KeyError, codec.DecodeError) as error:
        raise BundleError(f"{offer.name} {offer.version} is not a bundle: {error}") from error
    if (parsed.name, parsed.version) != (offer.name, offer.version):
        raise BundleError(f"{offer.name} {offer.version} calls itself {parsed.name} {parsed.version}")
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{parsed.name}-{parsed.version}-{offer.digest.removeprefix('sha256:')}.zip"
    path.write_bytes(content)
    return Archive(parsed, offer.digest, path)
