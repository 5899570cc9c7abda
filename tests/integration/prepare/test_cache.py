"""No half-written file is visible in the cache after Ctrl-C, on a full disk, or with two prepares at once."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from runner.prepare import ReleaseManifest
from runner.prepare.cache import Cache, CacheKey
from runner.state import CHECKOUT
from tests.support.http_server import Server, is_clean
from tests.support.polling import wait_until

KEY = CacheKey("binaries", "thing", {"version": "v1.2.3"})

# What prepare does for one component, in a process that a test can interrupt or starve.
CHILD = """
import resource, sys
from functools import partial
from pathlib import Path
from runner.prepare.artifacts import Artifact, Work
from runner.prepare.cache import Cache, CacheKey
from runner.prepare.catalogue import Binary, Component, PublishedFile
from runner.prepare.sources import Downloader
from runner.process import JobRunner
from runner.state import os_errors_translated

root, url, limit = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
release = PublishedFile(url=url + "/thing", checksum=url + "/thing.sha256")
component = Component(version="v1.2.3", release=release, binaries={"thing": Binary(package="x", sha256="0" * 64)})
with os_errors_translated():
    work = Work(Cache(root), lambda event: None, JobRunner())
    key = CacheKey("binaries", "thing", {"version": "v1.2.3"})
    with work.cache.locked(lambda: print("waiting", flush=True)):
        if limit:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        source = partial(Downloader(work).release, "thing", component, release)
        work.jobs.run_parallel([lambda: work.provide(Artifact(key, [source]))], 2)
"""


def child(cache: Cache, server: Server, limit: int = 0) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(CHILD), str(cache.root), server.url, str(limit)],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_ctrl_c_leaves_nothing(server: Server, cache: Cache) -> None:
    server.publish("/thing", b"x" * 10_000)
    server.slow.add("/thing")
    process = child(cache, server)
    wait_until(lambda: "/thing" in server.asked, "the download has begun", seconds=10)
    process.send_signal(signal.SIGINT)
    # The body arrives a byte at a time: the download checks for a cancellation after each piece of it.
    server.closing.set()
    _, errors = process.communicate(timeout=10)
    assert "KeyboardInterrupt" in errors
    assert is_clean(cache)


def test_a_killed_process_leaves_nothing_that_the_next_one_keeps(server: Server, cache: Cache) -> None:
    server.publish("/thing", b"x" * 10_000)
    server.slow.add("/thing")
    process = child(cache, server)
    wait_until(lambda: "/thing" in server.asked, "the download has begun", seconds=10)
    process.kill()
    process.communicate()
    assert cache.lookup(KEY) is None
    with cache.locked(lambda: None):
        assert is_clean(cache)


def test_a_full_disk_leaves_nothing_and_has_a_remedy(server: Server, cache: Cache) -> None:
    server.publish("/thing", b"x" * 10_000_000)
    _, errors = child(cache, server, limit=1_000_000).communicate(timeout=10)
    assert "MachineError: File too large" in errors
    assert is_clean(cache)


def test_two_prepares_at_once_download_once(server: Server, cache: Cache) -> None:
    server.publish("/thing", b"x" * 20)
    server.slow.add("/thing")
    processes = [child(cache, server) for _ in range(2)]
    outputs = [process.communicate(timeout=20) for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert sorted(output for output, _ in outputs) == ["", "waiting\n"]
    assert server.asked.count("/thing") == 1
    assert cache.lookup(KEY) is not None


def test_an_entry_with_a_lost_blob_is_none(cache: Cache, tmp_path: Path) -> None:
    (tmp_path / "thing").write_bytes(b"x")
    blobs = cache.store(KEY, {"thing": tmp_path / "thing"})
    assert cache.lookup(KEY) == blobs
    blobs["thing"].unlink()
    assert cache.lookup(KEY) is None


def test_an_unreadable_entry_is_none(cache: Cache) -> None:
    (cache.recipes / f"{KEY.sha256}.json").write_text('{"kind": "binaries"', "utf-8")
    assert cache.lookup(KEY) is None


def test_a_key_depends_on_its_inputs() -> None:
    assert KEY.sha256 == CacheKey("binaries", "thing", {"version": "v1.2.3"}).sha256
    assert KEY.sha256 != CacheKey("binaries", "thing", {"version": "v1.2.4"}).sha256
    assert KEY.sha256 != CacheKey("rootfs", "thing", {"version": "v1.2.3"}).sha256


def test_a_release_without_a_manifest_is_none(cache: Cache) -> None:
    (cache.releases / "0123456789ab").mkdir()
    assert ReleaseManifest.read(cache.releases / "0123456789ab") is None


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_hosts_may_look_into_releases(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        cache = Cache(tmp_path / "cache")
    finally:
        os.umask(before)
    assert cache.releases.stat().st_mode & 0o777 == 0o755
