"""Mirrors, each a copy of another machine's cache: a directory, or a URL of a real server."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from runner.errors import PrepareError
from runner.events import Event
from runner.prepare.artifacts import Work
from runner.prepare.cache import Cache, CacheKey
from runner.prepare.sources import Downloader
from tests.support.http_server import Server, is_clean
from tests.support.sources import CONTENT, KEY, OTHER, SUM, get, last_resort, never, notes


@pytest.fixture(params=["directory", "URL"])
def other_cache(
    request: pytest.FixtureRequest, server: Server, tmp_path: Path, work: Work
) -> tuple[str, Callable[[], None]]:
    """Another machine's cache that has the thing: its location, and a function that makes it available."""
    other = Cache(tmp_path / "other")
    get(replace(work, cache=other), KEY, last_resort)
    if request.param == "directory":
        return str(other.root), lambda: None
    return f"{server.url}/", lambda: server.serve_directory(other.root)


def test_a_mirror_is_a_copy_of_a_cache(
    other_cache: tuple[str, Callable[[], None]], cache: Cache, downloader: Downloader, work: Work
) -> None:
    location, offer = other_cache
    offer()
    blobs = get(work, KEY, partial(downloader.mirror, location, KEY), never)
    assert blobs["thing"].read_bytes() == OTHER
    assert cache.lookup(KEY) == blobs


def test_a_mirror_with_damaged_content_is_an_error(
    other_cache: tuple[str, Callable[[], None]], cache: Cache, downloader: Downloader, work: Work, tmp_path: Path
) -> None:
    location, offer = other_cache
    (blob,) = (tmp_path / "other" / "blobs").iterdir()
    blob.write_bytes(CONTENT)
    offer()
    with pytest.raises(PrepareError) as error:
        get(work, KEY, partial(downloader.mirror, location, KEY), never)
    assert hashlib.sha256(OTHER).hexdigest() in error.value.message
    assert SUM in error.value.message
    assert is_clean(cache)


def test_a_mirror_that_lacks_the_thing_is_one_line(
    other_cache: tuple[str, Callable[[], None]],
    cache: Cache,
    downloader: Downloader,
    work: Work,
    events: list[Event],
) -> None:
    location, offer = other_cache
    offer()
    wanted = CacheKey("binaries", "thing", {"version": "v1.2.4"})
    get(work, wanted, partial(downloader.mirror, location, wanted), last_resort)
    assert len(notes(events)) == 1


def test_a_mirror_that_is_no_cache_is_an_error(
    cache: Cache, downloader: Downloader, work: Work, tmp_path: Path
) -> None:
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / f"{KEY.sha256}.json").write_text("{}", "utf-8")
    with pytest.raises(PrepareError, match="is not an entry"):
        get(work, KEY, partial(downloader.mirror, str(tmp_path), KEY), never)


def test_a_mirror_that_is_a_file_has_a_remedy(cache: Cache, downloader: Downloader, work: Work, tmp_path: Path) -> None:
    file = tmp_path / "cache.tar"
    file.write_bytes(CONTENT)
    with pytest.raises(PrepareError, match=re.escape(str(file))) as error:
        get(work, KEY, partial(downloader.mirror, str(file), KEY), never)
    assert "--mirror" in error.value.remedy
    assert is_clean(cache)


def test_a_mirror_that_cannot_be_read_has_a_remedy(
    other_cache: tuple[str, Callable[[], None]], cache: Cache, downloader: Downloader, work: Work, tmp_path: Path
) -> None:
    (blob,) = (tmp_path / "other" / "blobs").iterdir()
    blob.unlink()
    blob.mkdir()  # as root, who reads everything, finds a file that cannot be read
    with pytest.raises(PrepareError, match=f"{blob} cannot be read") as error:
        get(work, KEY, partial(downloader.mirror, str(tmp_path / "other"), KEY), never)
    assert "--mirror" in error.value.remedy


@pytest.mark.parametrize("address", ["ftp://example.org/cache", "http://[::1/cache"])
def test_a_mirror_with_an_address_that_cannot_be_used_has_a_remedy(
    cache: Cache, downloader: Downloader, work: Work, address: str
) -> None:
    with pytest.raises(PrepareError, match="cannot be asked for") as error:
        get(work, KEY, partial(downloader.mirror, address, KEY), never)
    assert "https://" in error.value.remedy
