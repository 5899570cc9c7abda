"""A bundle's archive: checked against its digest, and stored where Python can import from it."""

import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

from demonstrator.lib import codec
from demonstrator.platform import manifest
from demonstrator.platform.manifest import Manifest, Offer

ARCHIVE_LIMIT = 16 * 2**20


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


def check(content: bytes, offer: Offer) -> None:
    """Raise DamagedError unless this is the archive that is offered."""
    found = f"sha256:{hashlib.sha256(content).hexdigest()}"
    if found != offer.digest:
        raise DamagedError(f"{offer.name} {offer.version} has digest {found}, expected {offer.digest}")


def store(content: bytes, offer: Offer, directory: Path) -> Archive:
    """Store a checked archive in `directory`, from which its code is imported; raises BundleError."""
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
