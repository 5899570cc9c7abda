"""Where files come from: a mirror, the publisher's release, or whatever else is tried in turn.

A source that cannot be reached, or has not got the file, is one line of output and the next one is
tried. A file whose checksum is wrong is an error: somebody meant us to have other bytes.
"""

import tarfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import IO, BinaryIO
from urllib.parse import urlsplit

import requests

from runner.errors import PrepareError
from runner.events import Note, Progress, Report
from runner.prepare.cache import Blob, Cache, Recipe, Record, file_digest
from runner.prepare.catalogue import Component, PublishedFile
from runner.prepare.work import Work

CONNECT_SECONDS = 3.0
SILENCE_SECONDS = 10.0
# Small enough that Ctrl-C is noticed soon on a slow line.
_CHUNK = 1 << 16
_REPORT_EVERY_SECONDS = 0.2
_AS_IT_IS = {"Accept-Encoding": "identity"}
# What a person reads for an exception whose text has a sign; the first that fits.
_REASONS = (
    (requests.ConnectTimeout, "", "no connection in time"),
    (requests.Timeout, "", "silent for too long"),
    (requests.ConnectionError, "Read timed out", "silent for too long"),
    (requests.exceptions.ChunkedEncodingError, "", "the connection ended too early"),
    (requests.ConnectionError, "resolve", "its name does not resolve"),
    (requests.ConnectionError, "", "no connection"),
)


class UnavailableError(Exception):
    """This source cannot give the file; the message says why, in one line."""


# Fills a scratch directory and says which file there is which.
Source = Callable[[Path], dict[str, Path]]


def obtain(cache: Cache, recipe: Recipe, sources: Sequence[Source], report: Report, mode: int) -> dict[str, Blob]:
    """Have what a recipe gives: from the cache, or from the first source that can give it.

    Raises:
        PrepareError: if no source can, or if a checksum is wrong.
    """
    if (kept := cache.lookup(recipe)) is not None:
        return kept
    reasons = []
    for source in sources:
        with cache.scratch() as scratch:
            try:
                files = source(scratch)
            except UnavailableError as reason:
                reasons.append(str(reason))
                continue
            kept = cache.keep(recipe, files, mode)
        report(Progress("prepare", recipe.name, "in the cache", finished=True))
        return kept
    raise PrepareError(
        f"{recipe.name} could not be had from any source.",
        remedy="Connect this machine to a network, or name a mirror: prepare --mirror DIRECTORY_OR_URL.",
        details="\n".join(reasons),
    )


class Reader:
    """Reads files and addresses; a server that does not answer is not asked again in the same run."""

    def __init__(
        self,
        work: Work,
        report: Report,
        connect_seconds: float = CONNECT_SECONDS,
        silence_seconds: float = SILENCE_SECONDS,
    ) -> None:
        self._work = work
        self._report = report
        self._timeout = (connect_seconds, silence_seconds)
        self._silent: dict[str, str] = {}
        self._lock = threading.Lock()

    def text(self, location: str) -> str:
        """The content of a small file.

        Raises:
            UnavailableError: if it cannot be read.
        """
        chunks: list[bytes] = []
        self._read(location, lambda chunk, _: chunks.append(chunk))
        return b"".join(chunks).decode("utf-8", errors="replace")

    def file(self, location: str, target: Path, item: str) -> None:
        """Copy a file to `target`, reporting how far it is.

        Raises:
            UnavailableError: if it cannot be read, or ends before its announced length.
        """
        origin = urlsplit(location).hostname or "the mirror"
        with target.open("wb") as file:
            self._read(location, self._meter(file, item, f"download from {origin}"))

    def _meter(self, file: BinaryIO, item: str, doing: str) -> Callable[[bytes, int | None], None]:
        done = 0
        reported = 0.0

        def write(chunk: bytes, total: int | None) -> None:
            nonlocal done, reported
            self._work.check()
            file.write(chunk)
            done += len(chunk)
            if (now := time.monotonic()) - reported >= _REPORT_EVERY_SECONDS:
                reported = now
                self._report(Progress("prepare", item, doing, done=done, total=total, unit="bytes"))

        return write

    def _read(self, location: str, take: Callable[[bytes, int | None], None]) -> None:
        server = urlsplit(location).netloc
        if not server:
            self._read_path(Path(location), take)
            return
        if server in self._silent:
            raise UnavailableError(self._silent[server])
        try:
            with closing(requests.get(location, stream=True, timeout=self._timeout, headers=_AS_IT_IS)) as response:
                if response.status_code != requests.codes.ok:
                    self._skip(f"{location} answers {response.status_code} {response.reason}")
                length = response.headers.get("Content-Length")
                for chunk in response.iter_content(_CHUNK):
                    take(chunk, int(length) if length else None)
        except requests.RequestException as error:
            # One line for a server and a run: forty files against a dead host would be forty waits.
            with self._lock:
                first = server not in self._silent
                self._silent[server] = f"{server} cannot be read ({_reason(error)})"
            if first:
                self._skip(self._silent[server])
            raise UnavailableError(self._silent[server]) from error

    def _read_path(self, path: Path, take: Callable[[bytes, int | None], None]) -> None:
        try:
            with path.open("rb") as file:
                size = path.stat().st_size
                while chunk := file.read(_CHUNK):
                    take(chunk, size)
        except FileNotFoundError:
            self._skip(f"{path} does not exist")

    def _skip(self, reason: str) -> None:
        self._report(Note("prepare", f"{reason}: the next source is tried"))
        raise UnavailableError(reason)


def mirror(root: str, recipe: Recipe, reader: Reader) -> Source:
    """A copy of another machine's cache, as a directory or served as a URL: `blobs` and `recipes` are read."""
    root = root.rstrip("/")

    def take(scratch: Path) -> dict[str, Path]:
        location = f"{root}/recipes/{recipe.key}.json"
        try:
            record = Record.model_validate_json(reader.text(location))
        except ValueError as error:
            raise PrepareError(f"{location} is not a record of a cache.", remedy="Copy the cache again.") from error
        files = {}
        for name, sha256 in record.files.items():
            files[name] = scratch / sha256
            reader.file(f"{root}/blobs/{sha256}", files[name], recipe.name)
            verify(files[name], f"{root}/blobs/{sha256} ({name})", sha256)
        return files

    return take


def published(component: Component, name: str, release: PublishedFile, reader: Reader) -> Source:
    """The publisher's release address, checked against the checksum that the publisher gives beside it."""

    def fetch(binary: str, target: Path) -> None:
        known = {"binary": binary, "version": component.version, "number": component.number}
        url = release.url.format(**known)
        expected = find_sum(reader.text(release.checksum.format(**known)), url.rpartition("/")[2])
        if expected is None:
            raise PrepareError(f"{release.checksum.format(**known)} has no SHA-256 for {url}.")
        reader.file(url, target, name)
        verify(target, url, expected)

    def take(scratch: Path) -> dict[str, Path]:
        files = {binary: scratch / binary for binary in component.binaries}
        if release.member is None:
            for binary, path in files.items():
                fetch(binary, path)
            return files
        archive = scratch / "archive.tar"
        fetch("", archive)
        for binary, path in files.items():
            _extract(archive, release.member.format(binary=binary, version=component.version), path)
        return files

    return take


def find_sum(text: str, name: str) -> str | None:
    """The SHA-256 of `name` in a publisher's checksum file: a bare sum, or lines as sha256sum writes them."""
    for line in text.splitlines():
        match line.split():
            case [value]:
                pass
            case [value, listed] if listed.removeprefix("*").rpartition("/")[2] == name:
                pass
            case _:
                continue
        if len(value) == 64 and all(character in "0123456789abcdef" for character in value):
            return value
    return None


def verify(path: Path, what: str, expected: str) -> None:
    """Raise PrepareError if the file at `path` has not the expected sum."""
    if (found := file_digest(path)) != expected:
        raise PrepareError(
            f"{what} has the wrong checksum: expected sha256 {expected}, found {found}.",
            remedy="Somebody changed the file, or it is damaged at its source: find out before anything is used.",
        )


def _extract(archive: Path, member: str, target: Path) -> None:
    with tarfile.open(archive) as tar:
        for entry in tar:
            if entry.isfile() and entry.name.removeprefix("./") == member:
                source = tar.extractfile(entry)
                assert source is not None  # a regular file has content
                _copy(source, target)
                return
    raise PrepareError(f"The published archive has no {member}.", remedy="Mend `member` in artifacts/catalogue.yml.")


def _copy(source: IO[bytes], target: Path) -> None:
    with source as reading, target.open("wb") as writing:
        while chunk := reading.read(_CHUNK):
            writing.write(chunk)


def _reason(error: requests.RequestException) -> str:
    matching = (reason for kind, sign, reason in _REASONS if isinstance(error, kind) and sign in str(error))
    return next(matching, type(error).__name__)
