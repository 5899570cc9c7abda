"""`clean` removes nothing that a checkout, or a host, may still need."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runner.errors import PrepareError
from runner.prepare.cache import Cache, digest
from runner.prepare.uses import Use, find_unused, remove
from runner.state import State


class Images:
    """Docker's images and containers, as far as `clean` asks for them."""

    def __init__(self, tags: list[str], running: str = "") -> None:
        self.tags = tags
        self.images = self
        self.containers = SimpleNamespace(list=lambda **_: [SimpleNamespace(attrs={"Config": {"Image": running}})])

    def list(self) -> list[Any]:
        return [SimpleNamespace(tags=[tag]) for tag in self.tags]

    def remove(self, tag: str) -> None:
        self.tags.remove(tag)


@pytest.fixture(name="cache")
def fixture_cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def prepared(cache: Cache, checkout: Path, name: str) -> None:
    """Leave what `prepare` makes of a release: a program that is linked into it, and a root file system that is not."""
    blobs = [digest(f"program {name}"), digest(f"rootfs {name}")]
    for blob in blobs:
        (cache.blobs / blob).write_text(name, "utf-8")
    entry = {"kind": "rootfs", "name": "host", "files": {"rootfs.tar": blobs[1]}}
    (cache.recipes / f"{name}.json").write_text(json.dumps(entry), "utf-8")
    (cache.releases / name / "bin").mkdir(parents=True)
    (cache.releases / name / "bin" / "etcd").hardlink_to(cache.blobs / blobs[0])
    (cache.releases / name / "registry.tar").write_text("x" * 1000, "utf-8")
    state = State(checkout)
    state.directory.mkdir(parents=True, exist_ok=True)
    state.release.unlink(missing_ok=True)
    state.release.symlink_to(cache.releases / name)
    Use(checkout=checkout, releases=(name,), recipes=(name,), images=(f"inaetics-demo-cluster/host:{name}",)).record(
        cache
    )


def left(cache: Cache, docker: Any, *owners: Path) -> list[str]:
    remove(find_unused(cache, docker, owners), docker)
    assert len(list(cache.blobs.iterdir())) == 2 * len(list(cache.recipes.iterdir()))
    return sorted(path.name for path in cache.releases.iterdir())


def test_two_checkouts_keep_what_each_uses(cache: Cache, tmp_path: Path) -> None:
    for name in ("a", "b"):
        prepared(cache, tmp_path / name, name)
    docker = Images(["inaetics-demo-cluster/host:a", "inaetics-demo-cluster/host:old", "debian:12"])
    assert left(cache, docker) == ["a", "b"]
    assert docker.tags == ["inaetics-demo-cluster/host:a", "debian:12"]


def test_a_checkout_that_is_gone_uses_nothing(cache: Cache, tmp_path: Path) -> None:
    for name in ("a", "b"):
        prepared(cache, tmp_path / name, name)
    State(tmp_path / "a").release.unlink()
    assert find_unused(cache, Images([]), []).size > 1000  # type: ignore[arg-type] # a stand-in
    assert left(cache, Images([])) == ["b"]


def test_hosts_may_still_run_with_the_release_before_until_site_has_been_run(cache: Cache, tmp_path: Path) -> None:
    prepared(cache, tmp_path / "a", "old")
    prepared(cache, tmp_path / "a", "new")
    unused = find_unused(cache, Images([]), [tmp_path / "a"])  # type: ignore[arg-type] # a stand-in
    assert unused.releases == []
    Use.settle(cache, tmp_path / "a")
    assert left(cache, Images([]), tmp_path / "a") == ["new"]


def test_without_hosts_only_the_last_release_is_used(cache: Cache, tmp_path: Path) -> None:
    prepared(cache, tmp_path / "a", "old")
    prepared(cache, tmp_path / "a", "new")
    assert left(cache, Images([])) == ["new"]


def test_an_image_of_a_host_stays(cache: Cache, tmp_path: Path) -> None:
    docker = Images(["inaetics-demo-cluster/host:old"], running="inaetics-demo-cluster/host:old")
    assert left(cache, docker) == []
    assert docker.tags == ["inaetics-demo-cluster/host:old"]


def test_hosts_of_a_checkout_that_has_not_said_what_it_uses_stop_it(cache: Cache, tmp_path: Path) -> None:
    prepared(cache, tmp_path / "a", "a")
    with pytest.raises(PrepareError, match=f"What the hosts of {tmp_path}/unknown use is not known"):
        find_unused(cache, Images([]), [tmp_path / "unknown"])  # type: ignore[arg-type] # a stand-in
