"""Archives of bundles, and the checks that each has to pass."""

import hashlib
import io
import stat
import sys
import zipfile
import zlib
from dataclasses import dataclass
from itertools import accumulate

from msgspec import Struct

from demonstrator.lib import codec
from demonstrator.platform import manifest
from demonstrator.platform.manifest import Manifest

ARCHIVE_LIMIT = 700 * 2**10  # bytes: a ConfigMap holds 1 MiB, and base64 makes its content a third longer

# Limits of an unpacked archive.
_MAX_FILES = 500
_MAX_UNPACKED = 8 * 2**20
# Packages of the agent, in which a bundle cannot put modules of its own.
_AGENT_PACKAGES = (
    sys.stdlib_module_names
    | {"aiohttp", "jinja2", "markupsafe", "msgspec", "multidict", "pelix", "yarl"}
    | {f"demonstrator/{room}" for room in ("agent", "components", "lib", "model", "platform", "remote", "services")}
)
_ENCRYPTED = 0x1


class ArchiveError(ValueError):
    """An archive that is no bundle, with the reason."""


class BundleRef(Struct, frozen=True, forbid_unknown_fields=True):
    """The name of one archive of a bundle."""

    name: str
    version: str
    digest: str


@dataclass(frozen=True, slots=True)
class BundleArchive:
    """A packed bundle, with the names of the files in it."""

    ref: BundleRef
    manifest: Manifest
    files: tuple[str, ...]
    content: bytes


def check_archive(content: bytes) -> BundleArchive:
    """Check an archive; raises ArchiveError if it is no bundle, or would get in the way of the agent's own packages."""
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
    names = [entry.filename for entry in entries]
    _check_layout(parsed.module, set(names))
    ref = BundleRef(parsed.name, parsed.version, f"sha256:{hashlib.sha256(content).hexdigest()}")
    return BundleArchive(ref, parsed, tuple(name for name in names if not name.endswith("/")), content)


def _check_entries(entries: list[zipfile.ZipInfo]) -> None:
    if len(entries) > _MAX_FILES or sum(entry.file_size for entry in entries) > _MAX_UNPACKED:
        raise ArchiveError(f"an archive unpacks to at most {_MAX_FILES} files with a total of {_MAX_UNPACKED} bytes")
    if len({entry.filename for entry in entries}) < len(entries):
        raise ArchiveError("a name occurs twice")
    for entry in entries:
        parts = entry.filename.removesuffix("/").split("/")
        if {"", ".", ".."} & set(parts) or "\\" in entry.orig_filename or "\0" in entry.orig_filename:
            raise ArchiveError(f"{entry.filename[:80]!r} is no path within the archive")
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR) or entry.flag_bits & _ENCRYPTED:
            raise ArchiveError(f"{entry.filename[:80]!r} is no plain file")


def _check_layout(module: str, names: set[str]) -> None:
    folders = list(accumulate(f"{part}/" for part in module.split(".")))
    if module in ("demonstrator", "demonstrator.bundles") or {folder[:-1] for folder in folders} & _AGENT_PACKAGES:
        raise ArchiveError(f"module {module} belongs to the agent: choose another name")
    if f"{folders[-1]}__init__.py" not in names:
        raise ArchiveError(f"there is no {folders[-1]}__init__.py, which is module {module}")
    if missing := set(folders) - names:
        raise ArchiveError(f"Python finds no folder without an entry of its own: {min(missing)} has none")
    for name in names - {*folders, manifest.FILE_NAME}:
        if not name.startswith(folders[-1]):
            raise ArchiveError(f"{name[:80]!r} belongs neither to module {module} nor to the manifest")
