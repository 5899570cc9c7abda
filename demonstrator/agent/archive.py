"""A bundle's archive: fetched, checked against its digest, and put where Python finds it."""

import hashlib
import io
import sys
import zipfile
from pathlib import Path

import aiohttp

from demonstrator.contracts import manifest, wire
from demonstrator.contracts.manifest import Manifest, Offer

ARCHIVE_LIMIT = 16 * 2**20


class BundleError(Exception):
    """A bundle that cannot be used, with the reason."""


async def fetch(session: aiohttp.ClientSession, url: str, offer: Offer) -> bytes:
    """The archive that the server offers; raises BundleError unless it is just that."""
    async with session.get(url + offer.path, raise_for_status=True) as response:
        content = bytearray()
        async for chunk in response.content.iter_chunked(2**16):
            content += chunk
            if len(content) > ARCHIVE_LIMIT:
                raise BundleError(f"{offer.name} {offer.version} is larger than {ARCHIVE_LIMIT} bytes")
    found = f"sha256:{hashlib.sha256(content).hexdigest()}"
    if found != offer.digest:
        raise BundleError(f"{offer.name} {offer.version} has digest {found}, expected {offer.digest}")
    return bytes(content)


def unpack(content: bytes, offer: Offer, directory: Path) -> Manifest:
    """Keep a checked archive in `directory`, make it importable and return its manifest."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parsed = manifest.parse(archive.read(manifest.FILE_NAME))
    except (zipfile.BadZipFile, KeyError, wire.WireError) as error:
        raise BundleError(f"{offer.name} {offer.version} is no bundle: {error}") from error
    if (parsed.name, parsed.version) != (offer.name, offer.version):
        raise BundleError(f"{offer.name} {offer.version} calls itself {parsed.name} {parsed.version}")
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{parsed.name}-{parsed.version}-{offer.digest.removeprefix('sha256:')}.zip"
    path.write_bytes(content)
    # Code is read straight from the archive that was checked.
    if str(path) not in sys.path:
        sys.path.insert(0, str(path))
    return parsed
