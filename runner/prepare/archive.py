"""Files below a directory, and tar archives of them whose bytes depend on the files alone."""

import os
import shutil
import tarfile
from collections.abc import Mapping
from pathlib import Path

from runner.errors import PrepareError

# The modification time of every file that a build makes (9 October 2025), so that equal files give equal bytes.
EPOCH = 1760000000


def files_below(directory: Path) -> dict[str, Path]:
    """Return every file below a directory by its relative name, sorted."""
    return {path.relative_to(directory).as_posix(): path for path in sorted(directory.rglob("*")) if path.is_file()}


def sources_below(directory: Path) -> dict[str, Path]:
    """Return the files below a directory without Python's compiled ones."""
    return {name: path for name, path in files_below(directory).items() if "__pycache__" not in path.parts}


def pack(target: Path, files: Mapping[str, Path]) -> None:
    """Write a tar archive of files, by their names in it; everything belongs to root and has the same time."""
    directories = {str(parent) for name in files for parent in Path(name).parents} - {"."}
    with tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as tar:
        for directory in sorted(directories):
            tar.addfile(_entry(directory, tarfile.DIRTYPE, 0o755))
        for name, path in sorted(files.items()):
            entry = _entry(name, tarfile.REGTYPE, 0o755 if os.access(path, os.X_OK) else 0o644)
            entry.size = path.stat().st_size
            with path.open("rb") as content:
                tar.addfile(entry, content)


def extract_member(archive: Path, member: str, target: Path) -> None:
    """Copy one file out of a tar archive.

    Raises:
        PrepareError: the archive does not contain the file, or is not a tar archive.
    """
    try:
        with tarfile.open(archive) as tar:
            for entry in tar:
                if entry.isfile() and entry.name.removeprefix("./") == member:
                    content = tar.extractfile(entry)
                    assert content is not None  # a regular file has content
                    with content, target.open("wb") as file:
                        shutil.copyfileobj(content, file)
                    return
    except tarfile.TarError as error:
        raise PrepareError(
            f"The published file is not a tar archive: {error}.", "Correct `release` in artifacts/catalogue.yml."
        ) from error
    raise PrepareError(
        f"The published archive does not contain {member}.", "Correct `member` in artifacts/catalogue.yml."
    )


def _entry(name: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.mtime = kind, mode, EPOCH
    return entry
