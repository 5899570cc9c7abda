"""No partial file is ever in the cache: after an interruption, on a full disk or with several runs at once."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from runner.prepare.cache import Cache, Recipe
from runner.prepare.release import find
from runner.state import CHECKOUT
from tests.support.http_server import Server, is_clean
from tests.support.polling import wait_until

RECIPE = Recipe("binaries", "thing", {"version": "v1.2.3"})

# What prepare does for one component, in a process that a test can interrupt or starve.
CHILD = """
import resource, sys, time
from pathlib import Path
from runner.events import Note
from runner.prepare.pipeline import _plain_words
from runner.prepare.cache import Cache, Recipe
from runner.prepare.catalogue import Binary, Component, PublishedFile
from runner.prepare.sources import Reader, obtain, published
from runner.prepare.work import Work

root, url, limit = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
release = PublishedFile(url=url + "/thing", checksum=url + "/thing.sha256")
component = Component(version="v1.2.3", release=release, binaries={"thing": Binary(package="x", sha256="0" * 64)})
work = Work()
stop = work.stop
work.stop = lambda: (stop(), print("stopped", flush=True))
report = lambda event: None
with _plain_words(root):
    cache = Cache(root)
    recipe = Recipe("binaries", "thing", {"version": "v1.2.3"})
    with cache.locked(lambda: print("waiting", flush=True)):
        if limit:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        source = published(component, "thing", release, Reader(work, report))
        job = lambda: obtain(cache, recipe, [source], report, 0o755)
        work.side_by_side([job], 2)
"""


def child(cache: Cache, server: Server, limit: int = 0) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(CHILD), str(cache.root), server.url, str(limit)],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def await_request(server: Server, path: str) -> None:
    wait_until(lambda: path in server.asked, f"{path} is asked for", seconds=30)


def test_ctrl_c_leaves_nothing(server: Server, cache: Cache) -> None:
    server.publish("/thing", b"x" * 10_000)
    server.slow.add("/thing")
    process = child(cache, server)
    await_request(server, "/thing")
    process.send_signal(signal.SIGINT)
    assert process.stdout is not None
    assert process.stdout.readline() == "stopped\n"
    # The body arrives a byte at a time: the download checks after each piece whether it has to stop.
    server.closing.set()
    _, errors = process.communicate(timeout=60)
    assert "KeyboardInterrupt" in errors
    assert is_clean(cache)


def test_a_killed_process_leaves_nothing_that_the_next_one_keeps(server: Server, cache: Cache) -> None:
    server.publish("/thing", b"x" * 10_000)
    server.slow.add("/thing")
    process = child(cache, server)
    await_request(server, "/thing")
    process.kill()
    process.communicate()
    assert cache.lookup(RECIPE) is None
    with cache.locked(lambda: None):
        assert is_clean(cache)


def test_a_full_disk_leaves_nothing_and_is_said_in_plain_words(server: Server, cache: Cache) -> None:
    server.publish("/thing", b"x" * 10_000_000)
    _, errors = child(cache, server, limit=1_000_000).communicate(timeout=60)
    assert "PrepareError: " in errors
    assert "Nothing unfinished was kept" in errors
    assert is_clean(cache)


def test_two_prepares_at_once_download_once(server: Server, cache: Cache) -> None:
    server.publish("/thing", b"x" * 20)
    server.slow.add("/thing")
    processes = [child(cache, server) for _ in range(2)]
    outputs = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert sorted(output for output, _ in outputs) == ["", "waiting\n"]
    assert server.asked.count("/thing") == 1
    assert cache.lookup(RECIPE) is not None


def test_a_lost_blob_is_had_again(cache: Cache, tmp_path: Path) -> None:
    (tmp_path / "thing").write_bytes(b"x")
    kept = cache.keep(RECIPE, {"thing": tmp_path / "thing"})
    assert cache.lookup(RECIPE) == kept
    kept["thing"].path.unlink()
    assert cache.lookup(RECIPE) is None


def test_an_unreadable_record_is_as_none(cache: Cache) -> None:
    (cache.recipes / f"{RECIPE.key}.json").write_text('{"kind": "binaries"', "utf-8")
    assert cache.lookup(RECIPE) is None


def test_a_recipe_is_its_inputs() -> None:
    assert RECIPE.key == Recipe("binaries", "thing", {"version": "v1.2.3"}).key
    assert RECIPE.key != Recipe("binaries", "thing", {"version": "v1.2.4"}).key
    assert RECIPE.key != Recipe("rootfs", "thing", {"version": "v1.2.3"}).key


def test_a_release_without_a_manifest_is_none(cache: Cache) -> None:
    (cache.releases / "0123456789ab").mkdir()
    assert find(cache, "0123456789ab") is None


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_hosts_may_look_into_releases(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        cache = Cache(tmp_path / "cache")
    finally:
        os.umask(before)
    assert cache.releases.stat().st_mode & 0o777 == 0o755
