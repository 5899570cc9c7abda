"""Archives of bundles, and the checks that an uploaded one has to pass."""

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
from demonstrator.provisioning.state import BundleRef

ARCHIVE_LIMIT = 700 * 2**10  # bytes: a ConfigMap holds 1 MiB, and base64 makes its content a third longer

# Limits of an unpacked archive.
_MAX_FILES = 500
_MAX_UNPACKED = 8 * 2**20
# Packages of the agent, in which a bundle cannot put modules of its own.
_AGENT_PACKAGES = {"aiohttp", "jinja2", "markupsafe", "msgspec", "multidict", "pelix", "yarl"}
_AGENT_ROOMS = {"agent", "components", "lib", "model", "platform", "remote", "services"}
_ENCRYPTED = 0x1


class ArchiveError(ValueError):
    """An archive that is no bundle, with the reason."""


@dataclass(frozen=True, slots=True)
class BundleArchive:
    """A packed bundle."""

    manifest: Manifest
    digest: str
    content: bytes

    @classmethod
    def of(cls, parsed: Manifest, content: bytes) -> "BundleArchive":
        """Return the archive with the digest of its content."""
        return cls(parsed, f"sha256:{hashlib.sha256(content).hexdigest()}", content)

    @property
    def ref(self) -> BundleRef:
        """The archive's name in the state."""
        return BundleRef(self.manifest.name, self.manifest.version, self.digest)

    @property
    def offer(self) -> Offer:
        """The offer to agents: by digest, so that no other archive can ever be meant."""
        path = f"/archives/{self.digest.removeprefix('sha256:')}"
        return Offer(self.manifest.name, self.manifest.version, self.digest, path)

    @property
    def files(self) -> tuple[str, ...]:
        """The names of the files in it."""
        with zipfile.ZipFile(io.BytesIO(self.content)) as archive:
            return tuple(name for name in archive.namelist() if not name.endswith("/"))


def check_archive(content: bytes) -> BundleArchive:
    """Check an archive that came from outside.

    Raises:
        ArchiveError: It is no bundle, or would get in the way of the agent's own packages.
    """
    if len(content) > ARCHIVE_LIMIT:
        raise ArchiveError(f"an archive has at most {ARCHIVE_LIMIT} bytes")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            _check_entries(entries)
            for entry in entries:
                # Reads no more than the entry's stated size, and checks its sum.
                archive.read(entry)
            parsed = manifest.parse(archive.read(manifest.FILE_NAME))
    except KeyError:
        raise ArchiveError(f"there is no {manifest.FILE_NAME} at the top of the archive") from None
    except codec.DecodeError as error:
        raise ArchiveError(str(error)) from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeDecodeError, OSError) as error:
        raise ArchiveError(f"not a zip archive that can be read: {error}") from error
    _check_layout(parsed.module, {entry.filename for entry in entries})
    return BundleArchive.of(parsed, content)


def _check_entries(entries: list[zipfile.ZipInfo]) -> None:
    names = [entry.filename for entry in entries]
    if len(entries) > _MAX_FILES or sum(entry.file_size for entry in entries) > _MAX_UNPACKED:
        raise ArchiveError(f"an archive unpacks to at most {_MAX_FILES} files with a total of {_MAX_UNPACKED} bytes")
    if len(set(names)) < len(names):
        raise ArchiveError("a name occurs twice")
    for entry in entries:
        parts = entry.filename.removesuffix("/").split("/")
        if {"", ".", ".."} & set(parts) or "\\" in entry.orig_filename or "\0" in entry.orig_filename:
            raise ArchiveError(f"{entry.filename[:80]!r} is no path within the archive")
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR) or entry.flag_bits & _ENCRYPTED:
            raise ArchiveError(f"{entry.filename[:80]!r} is no plain file")


def _check_layout(module: str, names: set[str]) -> None:
    if _is_reserved(*module.split(".")):
        raise ArchiveError(f"module {module} belongs to the agent: choose another name")
    folder = module.replace(".", "/") + "/"
    if f"{folder}__init__.py" not in names:
        raise ArchiveError(f"there is no {folder}__init__.py, which is module {module}")
    parents = {folder[: index + 1] for index, letter in enumerate(folder) if letter == "/"}
    if missing := parents - names:
        raise ArchiveError(f"Python finds no folder without an entry of its own: {min(missing)} has none")
    for name in names - parents - {manifest.FILE_NAME}:
        if not name.startswith(folder):
            raise ArchiveError(f"{name[:80]!r} belongs neither to module {module} nor to the manifest")


def _is_reserved(package: str, *below: str) -> bool:
    if package == "demonstrator":
        return below in ((), ("bundles",)) or below[0] in _AGENT_ROOMS
    return package in sys.stdlib_module_names or package in _AGENT_PACKAGES
