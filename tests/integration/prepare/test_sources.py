"""Releases with a real server: an unreachable one is a line and the next source is tried, a wrong checksum an error."""

import hashlib
import io
import socket
import tarfile
from functools import partial
from pathlib import Path
from typing import Literal

import pytest

from runner.errors import PrepareError
from runner.events import Event, Progress
from runner.prepare.artifacts import Source, UnavailableError, Work
from runner.prepare.cache import Cache
from runner.prepare.catalogue import Binary, Component, PublishedFile
from runner.prepare.sources import Downloader, find_checksum
from tests.support.http_server import Server, is_clean
from tests.support.sources import CONTENT, KEY, SUM, get, last_resort, never, notes


def component(server: Server, *names: str) -> Component:
    release = PublishedFile(url=server.url + "/{version}/{binary}", checksum=server.url + "/{version}/{binary}.sha256")
    binaries = {name: Binary(package=f"example.org/{name}", sha256="0" * 64) for name in names}
    return Component(version="v1.2.3", release=release, binaries=binaries)


def release(server: Server, downloader: Downloader, *names: str) -> Source:
    described = component(server, *(names or ("thing",)))
    assert described.release is not None
    return partial(downloader.release, "thing", described, described.release)


def test_a_release_is_checked_and_stored(
    server: Server, cache: Cache, downloader: Downloader, work: Work, events: list[Event]
) -> None:
    server.publish("/v1.2.3/thing", CONTENT)
    blob = get(work, KEY, release(server, downloader))["thing"]
    assert blob.name == SUM
    assert blob.read_bytes() == CONTENT
    assert blob.stat().st_mode & 0o777 == 0o755
    progress = [event for event in events if isinstance(event, Progress)]
    assert progress[0].total == len(CONTENT)
    assert progress[-1].finished


def test_what_is_in_the_cache_is_not_asked_for_again(
    server: Server, cache: Cache, downloader: Downloader, work: Work
) -> None:
    server.publish("/v1.2.3/thing", CONTENT)
    first = get(work, KEY, release(server, downloader))
    assert get(work, KEY, never) == first


def test_a_release_inside_an_archive(server: Server, cache: Cache, downloader: Downloader, work: Work) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name, content in (("./thing-1.2.3/README", b"no"), ("./thing-1.2.3/thing", CONTENT)):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    digest = hashlib.sha256(archive.getvalue()).hexdigest()
    server.files["/thing-1.2.3.tgz"] = archive.getvalue()
    server.files["/SHA256SUMS"] = f"{'1' * 64}  other.tgz\n{digest} *thing-1.2.3.tgz\n".encode()
    publication = PublishedFile(
        url=server.url + "/thing-{number}.tgz", checksum=server.url + "/SHA256SUMS", member="thing-{number}/{binary}"
    )
    source = partial(downloader.release, "thing", component(server, "thing"), publication)
    assert get(work, KEY, source)["thing"].name == SUM


def test_a_wrong_checksum_is_an_error_and_no_other_source_is_tried(
    server: Server, cache: Cache, downloader: Downloader, work: Work
) -> None:
    server.publish("/v1.2.3/thing", CONTENT, checksum="a" * 64)
    with pytest.raises(PrepareError) as error:
        get(work, KEY, release(server, downloader), never)
    assert f"{server.url}/v1.2.3/thing" in error.value.message
    assert f"expected sha256 {'a' * 64}" in error.value.message
    assert f"found {SUM}" in error.value.message
    assert is_clean(cache)


def test_a_checksum_file_without_the_checksum_is_an_error(
    server: Server, cache: Cache, downloader: Downloader, work: Work
) -> None:
    server.publish("/v1.2.3/thing", CONTENT, checksum="<html>")
    with pytest.raises(PrepareError, match="has no SHA-256"):
        get(work, KEY, release(server, downloader), never)


def test_a_download_that_breaks_off_each_time_is_no_file(
    server: Server, cache: Cache, downloader: Downloader, work: Work, events: list[Event]
) -> None:
    server.publish("/v1.2.3/thing", CONTENT)
    server.faults["/v1.2.3/thing"] = ["cut", "cut", "cut"]
    assert get(work, KEY, release(server, downloader), last_resort)["thing"].name != SUM
    assert len(notes(events)) == 1
    assert "closed too early" in notes(events)[0]
    assert not any(cache.tmp.iterdir())


@pytest.mark.parametrize("path", ["/v1.2.3/thing", "/v1.2.3/thing.sha256"])
@pytest.mark.parametrize("fault", ["cut", "stall", "silence"])
def test_a_download_that_breaks_off_once_is_started_again(
    server: Server,
    cache: Cache,
    downloader: Downloader,
    work: Work,
    events: list[Event],
    path: str,
    fault: Literal["cut", "stall", "silence"],
) -> None:
    server.publish("/v1.2.3/thing", CONTENT)
    server.faults[path] = [fault]
    assert get(work, KEY, release(server, downloader), never)["thing"].name == SUM
    assert server.asked.count(path) == 2
    assert notes(events) == []


def test_a_server_stays_reachable_after_a_file_that_it_does_not_deliver(
    server: Server, downloader: Downloader, tmp_path: Path, events: list[Event]
) -> None:
    server.publish("/v1.2.3/one", CONTENT)
    server.publish("/v1.2.3/two", CONTENT)
    server.publish("/v1.2.3/three", CONTENT)
    server.faults["/v1.2.3/one"] = ["stall", "stall", "stall"]
    server.faults["/v1.2.3/two"] = ["silence", "silence", "silence"]
    for name in ("one", "two"):
        with pytest.raises(UnavailableError, match=f"/v1.2.3/{name} cannot"):
            release(server, downloader, name)(tmp_path)
    assert release(server, downloader, "three")(tmp_path)["three"].read_bytes() == CONTENT
    assert len(notes(events)) == 2


def test_a_missing_file_is_one_line(
    server: Server, cache: Cache, downloader: Downloader, work: Work, events: list[Event]
) -> None:
    get(work, KEY, release(server, downloader), last_resort)
    assert notes(events) == [f"{server.url}/v1.2.3/thing.sha256 answers 404 Not Found: the next source is tried"]


def test_a_server_that_never_answers_is_waited_for_once(
    server: Server, downloader: Downloader, tmp_path: Path, events: list[Event]
) -> None:
    names = [f"thing-{number}" for number in range(20)]
    server.faults.update({f"/v1.2.3/{name}.sha256": ["silence"] * 3 for name in names})
    for name in names:
        with pytest.raises(UnavailableError):
            release(server, downloader, name)(tmp_path)
    assert set(server.asked) == {f"/v1.2.3/{names[0]}.sha256"}
    assert len(notes(events)) == 1
    assert "no data for too long" in notes(events)[0]


def test_a_server_that_is_not_there_is_one_line(
    server: Server, downloader: Downloader, tmp_path: Path, events: list[Event]
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        server.url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        for name in ("one", "two", "three"):
            with pytest.raises(UnavailableError):
                release(server, downloader, name)(tmp_path)
    assert [note.partition(" cannot")[0] for note in notes(events)] == [server.url.removeprefix("http://")]


def test_without_any_source_the_error_says_what_was_tried(
    server: Server, cache: Cache, downloader: Downloader, work: Work
) -> None:
    with pytest.raises(PrepareError) as error:
        get(work, KEY, release(server, downloader))
    assert "No source could provide thing." in error.value.message
    assert "404" in error.value.details
    assert "--mirror" in error.value.remedy


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
def test_publishers_write_checksums_in_several_ways(text: str, found: str | None) -> None:
    assert find_checksum(text, "thing") == found
