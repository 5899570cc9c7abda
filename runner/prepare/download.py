"""Downloads from servers, and copies from directories; what is not available is one line of output."""

import io
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NoReturn

import requests
from requests.adapters import HTTPAdapter
from urllib3 import exceptions as http
from urllib3.util import Retry

from runner.errors import PrepareError
from runner.events import Note, Progress, Report
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


def _cause(error: requests.RequestException) -> object:
    """Return urllib3's error behind an error of requests, which says more."""
    cause = error.args[0] if error.args else error
    return getattr(cause, "reason", None) or cause


def _reason(error: requests.RequestException) -> str:
    cause = _cause(error)
    return next((reason for kind, reason in _REASONS if isinstance(cause, kind)), type(error).__name__)
