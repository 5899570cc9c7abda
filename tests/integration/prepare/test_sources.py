"""Sources against a real server: an unreachable one is a line and the next is tried, a wrong sum is an error."""

import hashlib
import io
import socket
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.errors import PrepareError
from runner.events import Event, Note, Progress
from runner.prepare.cache import Cache, Recipe
from runner.prepare.catalogue import Binary, Component, PublishedFile
from runner.prepare.sources import Reader, Source, UnavailableError, find_sum, mirror, obtain, published
from runner.prepare.work import Work
from tests.support.http_server import Server, is_clean

CONTENT = b"#!/bin/sh\necho a program\n" * 5000
OTHER = b"another program"
SUM = hashlib.sha256(CONTENT).hexdigest()
RECIPE = Recipe("binaries", "thing", {"version": "v1.2.3"})

Report = Callable[[Event], None]


@pytest.fixture
def reader(report: Report) -> Reader:
    return Reader(Work(), report, connect_seconds=1, silence_seconds=1)


def component(server: Server, *names: str) -> Component:
    release = PublishedFile(url=server.url + "/{version}/{binary}", checksum=server.url + "/{version}/{binary}.sha256")
    binaries = {name: Binary(package=f"example.org/{name}", sha256="0" * 64) for name in names}
    return Component(version="v1.2.3", release=release, binaries=binaries)


def release(server: Server, reader: Reader, *names: str) -> Source:
    described = component(server, *(names or ("thing",)))
    assert described.release is not None
    return published(described, "thing", described.release, reader)


def last_resort(scratch: Path) -> dict[str, Path]:
    (scratch / "thing").write_bytes(OTHER)
    return {"thing": scratch / "thing"}


def never(scratch: Path) -> dict[str, Path]:
    raise AssertionError("this source must not be tried")


def notes(events: list[Event]) -> list[str]:
    return [event.message for event in events if isinstance(event, Note)]


def test_a_release_is_checked_and_kept(
    server: Server, cache: Cache, reader: Reader, report: Report, events: list[Event]
) -> None:
    server.publish("/v1.2.3/thing", CONTENT)
    kept = obtain(cache, RECIPE, [release(server, reader)], report, 0o755)["thing"]
    assert kept.sha256 == SUM
    assert kept.path.read_bytes() == CONTENT
    assert kept.path.stat().st_mode & 0o777 == 0o755
    progress = [event for event in events if isinstance(event, Progress)]
    assert progress[0].total == len(CONTENT)
    assert progress[-1].finished


def test_what_is_in_the_cache_is_not_asked_for_again(
    server: Server, cache: Cache, reader: Reader, report: Report
) -> None:
    server.publish("/v1.2.3/thing", CONTENT)
    first = obtain(cache, RECIPE, [release(server, reader)], report, 0o755)
    assert obtain(cache, RECIPE, [never], report, 0o755) == first


def test_a_release_inside_an_archive(server: Server, cache: Cache, reader: Reader, report: Report) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name, content in (("./thing-v1.2.3/README", b"no"), ("./thing-v1.2.3/thing", CONTENT)):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    digest = hashlib.sha256(archive.getvalue()).hexdigest()
    server.files["/thing-1.2.3.tgz"] = archive.getvalue()
    server.files["/SHA256SUMS"] = f"{'1' * 64}  other.tgz\n{digest} *thing-1.2.3.tgz\n".encode()
    publication = PublishedFile(
        url=server.url + "/thing-{number}.tgz", checksum=server.url + "/SHA256SUMS", member="thing-{version}/{binary}"
    )
    source = published(component(server, "thing"), "thing", publication, reader)
    assert obtain(cache, RECIPE, [source], report, 0o755)["thing"].sha256 == SUM


def test_a_wrong_checksum_is_an_error_and_no_other_source_is_tried(
    server: Server, cache: Cache, reader: Reader, report: Report
) -> None:
    server.publish("/v1.2.3/thing", CONTENT, checksum="a" * 64)
    with pytest.raises(PrepareError) as error:
        obtain(cache, RECIPE, [release(server, reader), never], report, 0o755)
    assert f"{server.url}/v1.2.3/thing" in error.value.message
    assert f"expected sha256 {'a' * 64}" in error.value.message
    assert f"found {SUM}" in error.value.message
    assert is_clean(cache)


def test_a_checksum_file_without_a_sum_is_an_error(
    server: Server, cache: Cache, reader: Reader, report: Report
) -> None:
    server.publish("/v1.2.3/thing", CONTENT, checksum="<html>")
    with pytest.raises(PrepareError, match="has no SHA-256"):
        obtain(cache, RECIPE, [release(server, reader), never], report, 0o755)


def test_a_truncated_body_is_no_file(
    server: Server, cache: Cache, reader: Reader, report: Report, events: list[Event]
) -> None:
    server.publish("/v1.2.3/thing", CONTENT)
    server.cut.add("/v1.2.3/thing")
    assert obtain(cache, RECIPE, [release(server, reader), last_resort], report, 0o755)["thing"].sha256 != SUM
    assert len(notes(events)) == 1
    assert "ended too early" in notes(events)[0]
    assert not any(cache.tmp.iterdir())


def test_a_missing_file_is_one_line(
    server: Server, cache: Cache, reader: Reader, report: Report, events: list[Event]
) -> None:
    obtain(cache, RECIPE, [release(server, reader), last_resort], report, 0o755)
    assert notes(events) == [f"{server.url}/v1.2.3/thing.sha256 answers 404 Not Found: the next source is tried"]


def test_a_server_that_hangs_is_waited_for_once(
    server: Server, reader: Reader, tmp_path: Path, events: list[Event]
) -> None:
    names = [f"thing-{number}" for number in range(20)]
    server.silent.update(f"/v1.2.3/{name}.sha256" for name in names)
    for name in names:
        with pytest.raises(UnavailableError):
            release(server, reader, name)(tmp_path)
    assert len(server.asked) == 1
    assert len(notes(events)) == 1
    assert "silent for too long" in notes(events)[0]


def test_a_server_that_is_not_there_is_one_line(
    server: Server, reader: Reader, tmp_path: Path, events: list[Event]
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        server.url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        for name in ("one", "two", "three"):
            with pytest.raises(UnavailableError):
                release(server, reader, name)(tmp_path)
    assert [note.partition(" cannot")[0] for note in notes(events)] == [server.url.removeprefix("http://")]


def test_without_any_source_the_error_says_what_was_tried(
    server: Server, cache: Cache, reader: Reader, report: Report
) -> None:
    with pytest.raises(PrepareError) as error:
        obtain(cache, RECIPE, [release(server, reader)], report, 0o755)
    assert "thing could not be had" in error.value.message
    assert "404" in error.value.details
    assert "--mirror" in error.value.remedy


@pytest.fixture(params=["directory", "URL"])
def other_cache(
    request: pytest.FixtureRequest, server: Server, tmp_path: Path, report: Report
) -> tuple[str, Callable[[], None]]:
    """Return another machine's cache that has the file: its address, and a function that offers the right content."""
    other = Cache(tmp_path / "other")
    obtain(other, RECIPE, [last_resort], report, 0o755)
    if request.param == "directory":
        return str(other.root), lambda: None
    return f"{server.url}/", lambda: server.serve_directory(other.root)


def test_a_mirror_is_a_copy_of_a_cache(
    other_cache: tuple[str, Callable[[], None]], cache: Cache, reader: Reader, report: Report
) -> None:
    location, offer = other_cache
    offer()
    kept = obtain(cache, RECIPE, [mirror(location, RECIPE, reader), never], report, 0o755)
    assert kept["thing"].path.read_bytes() == OTHER
    assert cache.lookup(RECIPE) == kept


def test_a_mirror_with_damaged_content_is_an_error(
    other_cache: tuple[str, Callable[[], None]], cache: Cache, reader: Reader, report: Report, tmp_path: Path
) -> None:
    location, offer = other_cache
    (blob,) = (tmp_path / "other" / "blobs").iterdir()
    blob.write_bytes(CONTENT)
    offer()
    with pytest.raises(PrepareError) as error:
        obtain(cache, RECIPE, [mirror(location, RECIPE, reader), never], report, 0o755)
    assert hashlib.sha256(OTHER).hexdigest() in error.value.message
    assert SUM in error.value.message
    assert is_clean(cache)


def test_a_mirror_that_lacks_the_thing_is_one_line(
    other_cache: tuple[str, Callable[[], None]], cache: Cache, reader: Reader, report: Report, events: list[Event]
) -> None:
    location, offer = other_cache
    offer()
    wanted = Recipe("binaries", "thing", {"version": "v1.2.4"})
    obtain(cache, wanted, [mirror(location, wanted, reader), last_resort], report, 0o755)
    assert len(notes(events)) == 1


def test_a_mirror_that_is_no_cache_is_an_error(cache: Cache, reader: Reader, report: Report, tmp_path: Path) -> None:
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / f"{RECIPE.key}.json").write_text("{}", "utf-8")
    with pytest.raises(PrepareError, match="is not a record"):
        obtain(cache, RECIPE, [mirror(str(tmp_path), RECIPE, reader), never], report, 0o755)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (SUM, SUM),
        (f"{SUM}\n", SUM),
        (f"{SUM}  thing", SUM),
        (f"{SUM} *thing", SUM),
        (f"{SUM}  ./bin/thing", SUM),
        (f"{'1' * 64}  other\n{SUM}  thing", SUM),
        (f"{SUM}  other", None),
        ("-----BEGIN PGP SIGNED MESSAGE-----", None),
        ("", None),
    ],
)
def test_publishers_write_sums_in_several_ways(text: str, found: str | None) -> None:
    assert find_sum(text, "thing") == found
