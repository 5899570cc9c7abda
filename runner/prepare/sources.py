"""Sources of files, tried in turn: a mirror, the publisher's release, a build.

A source that cannot be reached, or does not have the file, is one line of output, and the next one is
tried. A wrong checksum is an error: the file was changed or damaged.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from runner.errors import PrepareError
from runner.events import Progress, Report
from runner.prepare.archive import extract_member
from runner.prepare.cache import Blob, Cache, CacheEntry, CacheKey, file_digest
from runner.prepare.catalogue import Component, PublishedFile
from runner.prepare.download import Downloader, UnavailableError
from runner.prepare.tools import MIRROR_HINT

# Fills a scratch directory and returns its files by the names that they have in the artifact.
Fetcher = Callable[[Path], dict[str, Path]]


@dataclass(frozen=True)
class Artifact:
    """Files that belong together: their key in the cache, their sources in order, and the files' mode."""

    key: CacheKey
    fetchers: tuple[Fetcher, ...]
    mode: int = 0o644


def fetch_or_build(cache: Cache, artifact: Artifact, report: Report) -> dict[str, Blob]:
    """Return an artifact's files from the cache, or from the first source that can provide them.

    Raises:
        PrepareError: no source can, or a checksum is wrong.
    """
    if (blobs := cache.lookup(artifact.key)) is not None:
        return blobs
    reasons = []
    for fetch in artifact.fetchers:
        with cache.scratch() as scratch:
            try:
                files = fetch(scratch)
            except UnavailableError as reason:
                reasons.append(str(reason))
                continue
            blobs = cache.store(artifact.key, files, artifact.mode)
        report(Progress("prepare", artifact.key.name, "in the cache", finished=True))
        return blobs
    raise PrepareError(
        f"No source could provide {artifact.key.name}.",
        f"Connect this machine to a network, or {MIRROR_HINT}",
        "\n".join(reasons),
    )


def mirror(root: str, key: CacheKey, downloader: Downloader, scratch: Path) -> dict[str, Path]:
    """Fetch an artifact from a copy of another machine's cache, given as a directory or a URL.

    Raises:
        PrepareError: the copy is damaged, or is not a cache.
    """
    root = root.rstrip("/")
    location = f"{root}/recipes/{key.sha256}.json"
    try:
        entry = CacheEntry.model_validate_json(downloader.text(location))
    except ValueError as error:
        raise PrepareError(f"{location} is not an entry of a cache.", "Copy the cache again.") from error
    files = {}
    for name, sha256 in entry.files.items():
        files[name] = scratch / sha256
        downloader.file(f"{root}/blobs/{sha256}", files[name], key.name)
        verify(files[name], f"{root}/blobs/{sha256} ({name})", sha256)
    return files


def published(
    name: str, component: Component, release: PublishedFile, downloader: Downloader, scratch: Path
) -> dict[str, Path]:
    """Fetch a component's binaries from its publisher and compare them with the checksum beside them.

    Raises:
        PrepareError: a checksum is wrong or missing, or the archive does not contain a binary.
    """

    def fetch(binary: str, target: Path) -> None:
        url, checksum = component.expand(release.url, binary), component.expand(release.checksum, binary)
        expected = find_checksum(downloader.text(checksum), url.rpartition("/")[2])
        if expected is None:
            raise PrepareError(f"{checksum} has no SHA-256 for {url}.")
        downloader.file(url, target, name)
        verify(target, url, expected)

    files = {binary: scratch / binary for binary in component.binaries}
    if release.member is None:
        for binary, path in files.items():
            fetch(binary, path)
        return files
    archive = scratch / "archive.tar"
    fetch("", archive)
    for binary, path in files.items():
        extract_member(archive, component.expand(release.member, binary), path)
    return files


def find_checksum(text: str, name: str) -> str | None:
    """Return the SHA-256 of `name` in a checksum file, which is a bare checksum or lines as sha256sum writes them."""
    for line in text.splitlines():
        match line.split():
            case [value]:
                pass
            case [value, listed] if listed.removeprefix("*").rpartition("/")[2] == name:
                pass
            case _:
                continue
        if re.fullmatch("[0-9a-f]{64}", value):
            return value
    return None


def verify(path: Path, description: str, expected: str) -> None:
    """Compare a file with its SHA-256.

    Raises:
        PrepareError: they differ; the message begins with `description`.
    """
    if (found := file_digest(path)) != expected:
        raise PrepareError(
            f"{description} has the wrong checksum: expected sha256 {expected}, found {found}.",
            "The file was changed, or is damaged at its source. Find out why before you use anything from there.",
        )
