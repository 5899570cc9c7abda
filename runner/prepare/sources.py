"""Sources of files beside builds: publishers' releases, and mirrors, which are copies of another machine's cache."""

import re
import shutil
import tarfile
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import requests
from requests.adapters import HTTPAdapter
from urllib3 import exceptions as http
from urllib3.util import Retry

from runner.errors import PrepareError
from runner.prepare.artifacts import UnavailableError, Work, verify
from runner.prepare.cache import CacheEntry, CacheKey
from runner.prepare.catalogue import Component, PublishedFile

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
_SILENT = "no data for too long"
_CUT = "the connection was closed too early"
# The first that fits.
_REASONS = (
    (http.ProxyError, "the proxy does not answer"),
    (http.ConnectTimeoutError, "no connection in time"),
    (http.ReadTimeoutError, _SILENT),
    (http.NameResolutionError, "its name cannot be resolved"),
    (http.NewConnectionError, "no connection"),
    (http.ProtocolError, _CUT),
)


class Downloader:
    """Reads files and URLs.

    A server that cannot be reached is not tried again in the same run: forty files would be forty waits.
    """

    # Seconds to wait for a connection, and for an answer and each next piece of it.
    timeout = (3.0, 10.0)

    def __init__(self, work: Work) -> None:
        self._work = work
        self._session = requests.Session()
        self._session.headers["Accept-Encoding"] = "identity"
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=_RETRY))
        self._answered: set[str] = set()
        self._unreachable_servers: dict[str, str] = {}

    def mirror(self, root: str, key: CacheKey, scratch: Path) -> dict[str, Path]:
        """Fetch an artifact from a mirror, given as a directory or a URL; raises PrepareError if that is damaged."""
        root = root.rstrip("/")
        location = f"{root}/recipes/{key.sha256}.json"
        try:
            entry = CacheEntry.model_validate_json(self._fetch(location, scratch / "entry").read_bytes())
        except ValueError as error:
            raise PrepareError(f"{location} is not an entry of a cache.", "Copy the cache again.") from error
        files = {}
        for name, sha256 in entry.files.items():
            blob = f"{root}/blobs/{sha256}"
            files[name] = self._fetch(blob, scratch / sha256, key.name)
            verify(files[name], f"{blob} ({name})", sha256)
        return files

    def release(self, name: str, component: Component, published: PublishedFile, scratch: Path) -> dict[str, Path]:
        """Fetch a component's binaries from its publisher; raises PrepareError unless the checksums there fit."""
        archive = scratch / "archive.tar"
        files = {binary: scratch / binary for binary in component.binaries}
        for binary, target in (files if published.member is None else {"": archive}).items():
            url, checksum = component.expand(published.url, binary), component.expand(published.checksum, binary)
            text = self._fetch(checksum, scratch / "checksum").read_text("utf-8", errors="replace")
            expected = find_checksum(text, url.rpartition("/")[2])
            if expected is None:
                raise PrepareError(f"{checksum} has no SHA-256 for {url}.")
            verify(self._fetch(url, target, name), url, expected)
        if published.member is not None:
            for binary, target in files.items():
                _extract(archive, component.expand(published.member, binary), target)
        return files

    def _fetch(self, location: str, target: Path, item: str | None = None) -> Path:
        """Copy a file to `target`, which is returned, and report the progress as `item` if there is one."""
        _, is_url, rest = location.partition("://")
        if not is_url:
            path = Path(location)
            size = None
            with suppress(OSError):  # reading says why
                size = path.stat().st_size
            return self._copy(self._chunks(path), size, target, item, "copy from the mirror")
        server = rest.partition("/")[0]
        for _ in range(_ATTEMPTS):
            with self._open(location, server) as response:
                size = int(response.headers.get("Content-Length", 0)) or None
                try:
                    return self._copy(response.iter_content(_CHUNK), size, target, item, f"download from {server}")
                except requests.RequestException as error:
                    reason = _reason(error)
        raise self._unavailable(f"{location} cannot be downloaded ({reason})")

    def _open(self, location: str, server: str) -> requests.Response:
        if server in self._unreachable_servers:
            raise UnavailableError(self._unreachable_servers[server])
        try:
            response = self._session.get(location, stream=True, timeout=self.timeout)
        except ValueError as error:  # requests' classes for what is wrong with a URL
            raise PrepareError(
                f"{location} cannot be asked for: {error}.",
                "Use a directory, or a URL with http:// or https://, and no proxy by SOCKS.",
            ) from error
        except OSError as error:  # requests' errors, and a file of certificates that is not there
            reason = _reason(error)
            if server in self._answered and reason in (_SILENT, _CUT):
                raise self._unavailable(f"{location} cannot be read ({reason})") from error
            reason = f"{server} cannot be reached ({reason})"
            # In one step, so that of several threads one tells of it.
            first = self._unreachable_servers.setdefault(server, reason) is reason
            raise (self._unavailable(reason) if first else UnavailableError(reason)) from error
        self._answered.add(server)
        if response.status_code != requests.codes.ok:
            response.close()
            raise self._unavailable(f"{location} answers {response.status_code} {response.reason}")
        return response

    def _chunks(self, path: Path) -> Iterator[bytes]:
        try:
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    yield chunk
        except FileNotFoundError as error:
            raise self._unavailable(f"{path} does not exist") from error
        except OSError as error:
            raise PrepareError(
                f"{path} cannot be read: {error.strerror}.",
                "Give --mirror a directory that you can read, with `recipes` and `blobs` of another machine's cache.",
            ) from error

    def _copy(self, chunks: Iterable[bytes], total: int | None, target: Path, item: str | None, doing: str) -> Path:
        reported = 0.0
        with target.open("wb") as file:
            for chunk in chunks:
                self._work.jobs.check()
                file.write(chunk)
                if item and (now := time.monotonic()) - reported >= 0.2:
                    reported = now
                    self._work.progress(item, doing, done=file.tell(), total=total, unit="bytes")
        return target

    def _unavailable(self, reason: str) -> UnavailableError:
        self._work.note(f"{reason}: the next source is tried")
        return UnavailableError(reason)


def find_checksum(text: str, name: str) -> str | None:
    """Return the SHA-256 of `name` in a checksum file, which is a bare checksum or lines as sha256sum writes them."""
    listed = rf"[ \t]+\*?(\S*/)?{re.escape(name)}"
    found = re.search(rf"^\s*([0-9a-f]{{64}})({listed})?\s*$", text, re.MULTILINE)
    return found[1] if found else None


def _reason(error: OSError) -> str:
    """Return the reason for an error of requests, which urllib3's error behind it tells."""
    cause = error.args[0] if error.args else error
    cause = getattr(cause, "reason", None) or cause
    return next((reason for kind, reason in _REASONS if isinstance(cause, kind)), str(cause))


def _extract(archive: Path, member: str, target: Path) -> None:
    """Copy one file out of a publisher's tar archive."""
    try:
        with tarfile.open(archive) as tar:
            members = (entry for entry in tar if entry.isfile() and entry.name.removeprefix("./") == member)
            if (found := next(members, None)) is None:
                raise PrepareError(
                    f"The published archive does not contain {member}.", "Correct `member` in artifacts/catalogue.yml."
                )
            content = tar.extractfile(found)
            assert content is not None  # a regular file has content
            with content, target.open("wb") as file:
                shutil.copyfileobj(content, file)
    except tarfile.TarError as error:
        raise PrepareError(
            f"The published file is not a tar archive: {error}.", "Correct `release` in artifacts/catalogue.yml."
        ) from error
