"""Sources of files, tried in turn: a mirror, the publisher's release, a build.

A source that cannot be reached, or does not have the file, is one line of output, and the next one is
tried. A wrong checksum is an error: the file was changed or damaged.
"""

import io
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NoReturn

import requests
from requests.adapters import HTTPAdapter
from urllib3 import exceptions as http
from urllib3.util import Retry

from runner.errors import PrepareError
from runner.events import Note, Progress, Report
from runner.prepare.archive import extract_member
from runner.prepare.cache import Blob, Cache, CacheEntry, CacheKey, file_digest
from runner.prepare.catalogue import Component, PublishedFile
from runner.prepare.tools import MIRROR_HINT
from runner.process import JobRunner

CONNECT_SECONDS = 3.0
SILENCE_SECONDS = 10.0
_ATTEMPTS = 3
# Of a connection, and of the wait for an answer; a download that breaks off is started again by Downloader.
_RETRY = Retry(
    total=_ATTEMPTS - 1,
    backoff_factor=0.2,
    status_forcelist=(429, 502, 503, 504),
    respect_retry_after_header=False,  # it may name an hour
    raise_on_status=False,
)
# Small enough that Ctrl-C takes effect soon on a slow line.
_CHUNK = 1 << 16
_REPORT_EVERY_SECONDS = 0.2
_UNCOMPRESSED = {"Accept-Encoding": "identity"}
# The first that fits.
_REASONS = (
    (http.ConnectTimeoutError, "no connection in time"),
    (http.ReadTimeoutError, "no data for too long"),
    (http.NameResolutionError, "its name cannot be resolved"),
    (http.NewConnectionError, "no connection"),
    (http.ProtocolError, "the connection was closed too early"),
)


class UnavailableError(Exception):
    """A source cannot provide a file; the message is one line."""


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


class Downloader:
    """Reads files and URLs.

    A server that cannot be reached is not tried again in the same run: forty files from a dead host
    would be forty waits.

    Args:
        jobs: ends a download when the run is over.
        report: receives progress and skipped sources.
        connect_seconds: the longest wait for a connection.
        silence_seconds: the longest wait for an answer, and for the next piece of it.
    """

    def __init__(
        self,
        jobs: JobRunner,
        report: Report,
        connect_seconds: float = CONNECT_SECONDS,
        silence_seconds: float = SILENCE_SECONDS,
    ) -> None:
        self._jobs = jobs
        self._report = report
        self._timeout = (connect_seconds, silence_seconds)
        self._session = requests.Session()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=_RETRY))
        self._answered: set[str] = set()
        self._unreachable_servers: dict[str, str] = {}
        self._lock = threading.Lock()

    def text(self, location: str) -> str:
        """Return the content of a small file.

        Raises:
            UnavailableError: it cannot be read.
            PrepareError: `location` is not a path or URL that anybody could read.
        """
        content = io.BytesIO()
        self._read(location, content)
        return content.getvalue().decode("utf-8", errors="replace")

    def file(self, location: str, target: Path, item: str) -> None:
        """Copy a file to `target` and report the progress as `item`.

        Raises:
            UnavailableError: it cannot be read, or ends before its announced length.
            PrepareError: `location` is not a path or URL that anybody could read.
        """
        with target.open("wb") as file:
            self._read(location, file, item)

    def _read(self, location: str, target: BinaryIO, item: str | None = None) -> None:
        _, is_url, rest = location.partition("://")
        if not is_url:
            self._copy_path(Path(location), target, item)
            return
        server = rest.partition("/")[0]
        for attempt in range(1, _ATTEMPTS + 1):
            target.seek(0)
            target.truncate()
            with self._open(location, server) as response:
                length = response.headers.get("Content-Length")
                chunks = response.iter_content(_CHUNK)
                try:
                    self._copy(chunks, int(length) if length else None, target, item, f"download from {server}")
                except requests.RequestException as error:
                    if attempt == _ATTEMPTS:
                        self._raise_unavailable(f"{location} cannot be downloaded ({_reason(error)})")
                else:
                    return

    def _open(self, location: str, server: str) -> requests.Response:
        if server in self._unreachable_servers:
            raise UnavailableError(self._unreachable_servers[server])
        try:
            response = self._session.get(location, stream=True, timeout=self._timeout, headers=_UNCOMPRESSED)
        except ValueError as error:  # requests' classes for what is wrong with a URL
            raise PrepareError(
                f"{location} is not a valid address: {error}.", "Use a directory, or a URL with http:// or https://."
            ) from error
        except requests.RequestException as error:
            if server in self._answered and isinstance(_cause(error), (http.ReadTimeoutError, http.ProtocolError)):
                self._raise_unavailable(f"{location} cannot be read ({_reason(error)})")
            reason = f"{server} cannot be reached ({_reason(error)})"
            with self._lock:
                first = self._unreachable_servers.setdefault(server, reason) is reason
            if first:
                self._raise_unavailable(reason)
            raise UnavailableError(reason) from error
        self._answered.add(server)
        if response.status_code != requests.codes.ok:
            response.close()
            self._raise_unavailable(f"{location} answers {response.status_code} {response.reason}")
        return response

    def _copy_path(self, path: Path, target: BinaryIO, item: str | None) -> None:
        size = None
        with suppress(OSError):  # reading says why
            size = path.stat().st_size
        self._copy(self._chunks(path), size, target, item, "copy from the mirror")

    def _chunks(self, path: Path) -> Iterator[bytes]:
        try:
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    yield chunk
        except FileNotFoundError:
            self._raise_unavailable(f"{path} does not exist")
        except OSError as error:
            raise PrepareError(
                f"{path} cannot be read: {error.strerror}.",
                "Give --mirror a directory that you can read, with `recipes` and `blobs` of another machine's cache.",
            ) from error

    def _copy(self, chunks: Iterable[bytes], total: int | None, target: BinaryIO, item: str | None, doing: str) -> None:
        done = 0
        reported = 0.0
        for chunk in chunks:
            self._jobs.check()
            target.write(chunk)
            done += len(chunk)
            if item and (now := time.monotonic()) - reported >= _REPORT_EVERY_SECONDS:
                reported = now
                self._report(Progress("prepare", item, doing, done=done, total=total, unit="bytes"))

    def _raise_unavailable(self, reason: str) -> NoReturn:
        self._report(Note("prepare", f"{reason}: the next source is tried"))
        raise UnavailableError(reason)


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


def _cause(error: requests.RequestException) -> object:
    """Return urllib3's error behind an error of requests, which says more."""
    cause = error.args[0] if error.args else error
    return getattr(cause, "reason", None) or cause


def _reason(error: requests.RequestException) -> str:
    cause = _cause(error)
    return next((reason for kind, reason in _REASONS if isinstance(cause, kind)), type(error).__name__)
