"""A bundle that the server can give to agents, and what an archive must be like to become one."""

import hashlib
import io
import stat
import sys
import zipfile
import zlib
from dataclasses import dataclass

from demonstrator.lib import codec
from demonstrator.platform import manifest
from demonstrator.platform.manifest import Manifest, Offer

# A ConfigMap holds 1 MiB, and its content is a third longer there than here.
ARCHIVE_LIMIT = 700 * 2**10

# What an archive may unpack to.
_FILES = 500
_CONTENT_LIMIT = 8 * 2**20
# The agent's own packages, and those that many bundles are parts of.
_TAKEN = {
    "demonstrator",
    *(
        f"demonstrator.{package}"
        for package in ("agent", "bundles", "components", "lib", "model", "platform", "remote", "services")
    ),
    "pelix",
    "aiohttp",
}
_ENCRYPTED = 0x1


class ArchiveError(ValueError):
    """An archive that is no bundle, with the reason."""


@dataclass(frozen=True, slots=True)
class StoredBundle:
    """A packed bundle."""

    manifest: Manifest
    digest: str
    archive: bytes

    @property
    def offer(self) -> Offer:
        """How it is offered to agents: by digest, so that no other archive can ever be meant."""
        path = f"/archives/{self.digest.removeprefix('sha256:')}"
        return Offer(self.manifest.name, self.manifest.version, self.digest, path)

    @property
    def files(self) -> tuple[str, ...]:
        """The names of the files in it."""
        with zipfile.ZipFile(io.BytesIO(self.archive)) as archive:
            return tuple(name for name in archive.namelist() if not name.endswith("/"))


def store(parsed: Manifest, archive: bytes) -> StoredBundle:
    """A bundle of an archive that is known to be one."""
    return StoredBundle(parsed, f"sha256:{hashlib.sha256(archive).hexdigest()}", archive)


def check(content: bytes) -> StoredBundle:
    """The bundle that an archive from outside is; raises ArchiveError."""
    if len(content) > ARCHIVE_LIMIT:
        raise ArchiveError(f"an archive has at most {ARCHIVE_LIMIT} bytes")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            _check_entries(entries)
            for entry in entries:
                # Reads no more than the entry says, and checks its sum.
                archive.read(entry)
            parsed = manifest.parse(archive.read(manifest.FILE_NAME))
    except KeyError:
        raise ArchiveError(f"there is no {manifest.FILE_NAME} at the top of the archive") from None
    except codec.DecodeError as error:
        raise ArchiveError(str(error)) from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeDecodeError, OSError) as error:
        raise ArchiveError(f"not a zip archive that can be read: {error}") from error
    _check_layout(parsed, {entry.filename for entry in entries})
    return store(parsed, content)


def _check_entries(entries: list[zipfile.ZipInfo]) -> None:
    names = [entry.filename for entry in entries]
    if len(entries) > _FILES or sum(entry.file_size for entry in entries) > _CONTENT_LIMIT:
        raise ArchiveError(f"an archive unpacks to at most {_FILES} files of {_CONTENT_LIMIT} bytes in all")
    if len(set(names)) < len(names):
        raise ArchiveError("a name occurs twice")
    for entry in entries:
        parts = entry.filename.removesuffix("/").split("/")
        if {"", ".", ".."} & set(parts) or "\\" in entry.orig_filename or "\0" in entry.orig_filename:
            raise ArchiveError(f"{entry.filename[:80]!r} is no path within the archive")
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR) or entry.flag_bits & _ENCRYPTED:
            raise ArchiveError(f"{entry.filename[:80]!r} is no plain file")


def _check_layout(parsed: Manifest, names: set[str]) -> None:
    folder = parsed.module.replace(".", "/") + "/"
    if parsed.module in _TAKEN or parsed.module.split(".")[0] in sys.stdlib_module_names:
        raise ArchiveError(f"module {parsed.module} is somebody else's: choose another name")
    if f"{folder}__init__.py" not in names:
        raise ArchiveError(f"there is no {folder}__init__.py, which is module {parsed.module}")
    above = {folder[: index + 1] for index, letter in enumerate(folder) if letter == "/"}
    if missing := above - names:
        raise ArchiveError(f"Python sees no folder without an entry of its own: {min(missing)} has none")
    for name in names - above - {manifest.FILE_NAME}:
        if not name.startswith(folder):
            raise ArchiveError(f"{name[:80]!r} belongs neither to module {parsed.module} nor to the manifest")
