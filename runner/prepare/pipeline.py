"""Have everything that a site needs in the cache, so that raising it needs no network."""

import errno
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import docker
from docker.errors import DockerException

from runner.errors import PrepareError
from runner.events import Note, Report
from runner.prepare import debian, golang, images, native, release, sources, wheels
from runner.prepare.cache import Blob, Cache, Recipe, tree_digest
from runner.prepare.catalogue import Catalogue, load
from runner.prepare.release import Release
from runner.prepare.work import Work
from runner.state import CHECKOUT, State

__all__ = ["Release", "prepare"]

_ARTIFACTS = CHECKOUT / "artifacts"
_DEMONSTRATOR = CHECKOUT / "demonstrator"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_EXECUTABLE = 0o755
_PLAIN = 0o644


@dataclass(frozen=True)
class _Job:
    recipe: Recipe
    sources: tuple[sources.Source, ...]
    mode: int


def prepare(cache: Path, state: State, report: Report, mirror: str | None = None) -> Release:
    """Download, build and assemble whatever the catalogue names and the cache lacks.

    Args:
        cache: the cache that all checkouts share.
        state: this checkout's state; its link `release` will point to the release.
        report: told about everything.
        mirror: a copy of another machine's cache, as a directory or a URL.

    Raises:
        PrepareError: naming what could not be had, and why.
    """
    with _plain_words(cache), images.connect() as client:
        found = _prepare(Cache(cache), client, report, mirror)
        _point(state.release, found.directory)
    return found


@contextmanager
def _plain_words(cache: Path) -> Iterator[None]:
    """Say what a full disk or a failing Docker means for a person."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise PrepareError(
            f"{error.strerror}: {error.filename or cache}. Nothing unfinished was kept.",
            remedy=f"Make room on the file system of {cache}: 2 GB, and 14 GB for Go's own caches if it has to build.",
        ) from error
    except DockerException as error:
        raise PrepareError(f"Docker could not do what was asked: {error}") from error


def _prepare(cache: Cache, client: docker.DockerClient, report: Report, mirror: str | None) -> Release:
    catalogue = load(_ARTIFACTS / "catalogue.yml")
    work = Work()
    go = golang.Go(catalogue.go, cache, work, report)
    jobs = _jobs(catalogue, go, sources.Reader(work, report), work, report, mirror)

    known = {name: cache.lookup(job.recipe) for name, job in jobs.items()}
    complete = {name: files for name, files in known.items() if files is not None}
    if len(complete) == len(jobs):
        binaries, parts = _contents(catalogue, complete)
        ready = release.find(cache, release.identify(binaries, parts))
        if ready and images.exists(client, ready.host_image):
            return ready

    def waiting() -> None:
        report(Note("prepare", f"another prepare is at work in {cache.root}: this one waits for it"))

    with cache.locked(waiting):
        complete = _obtain(cache, jobs, work, report)
        binaries, parts = _contents(catalogue, complete)
        release_id = release.identify(binaries, parts)
        ready = release.find(cache, release_id)
        for name, part in parts.items():
            if ready is None or name == "host":
                images.build(client, part, catalogue.debian.python, cache, work, report)
        if ready is None:
            program = binaries["registry"].path
            ready = release.make(release_id, binaries, parts, program, client, cache, report)
        return ready


def _jobs(
    catalogue: Catalogue, go: golang.Go, reader: sources.Reader, work: Work, report: Report, mirror: str | None
) -> dict[str, _Job]:
    jobs: dict[str, _Job] = {}

    def add(key: str, recipe: Recipe, mode: int, *others: sources.Source) -> None:
        first = () if mirror is None else (sources.mirror(mirror, recipe, reader),)
        jobs[key] = _Job(recipe, (*first, *others), mode)

    for name, image in catalogue.images.items():
        directory = _ARTIFACTS / "images" / name
        if image.rootfs is not None:
            recipe = debian.recipe(name, image.rootfs, catalogue.debian, directory / "rootfs")
            make = debian.bootstrap(recipe.name, image.rootfs, catalogue.debian, directory / "rootfs", work, report)
            add(f"rootfs/{name}", recipe, _PLAIN, make)
        if image.application:
            requirements, python = directory / "requirements.txt", catalogue.debian.python
            recipe = wheels.recipe(name, requirements, python)
            add(f"wheels/{name}", recipe, _PLAIN, wheels.download(recipe.name, requirements, python, work, report))
    for name, files in native.bundles(_DEMONSTRATOR / "bundles").items():
        recipe = native.recipe(name, files)
        add(f"native/{name}", recipe, _PLAIN, native.build(recipe.name, files, work, report))
    for name, component in catalogue.components.items():
        module = _ARTIFACTS / "go" / name
        inputs = {"go": catalogue.go.version, "module": tree_digest(debian.files_below(module))}
        recipe = Recipe("binaries", name, {**inputs, "component": component.model_dump(mode="json")})
        released = () if component.release is None else (sources.published(component, name, component.release, reader),)
        add(name, recipe, _EXECUTABLE, *released, golang.build(component, name, module, go, work, report))
    return jobs


def _obtain(cache: Cache, jobs: Mapping[str, _Job], work: Work, report: Report) -> dict[str, dict[str, Blob]]:
    def obtain(job: _Job) -> Callable[[], dict[str, Blob]]:
        return lambda: sources.obtain(cache, job.recipe, job.sources, report, job.mode)

    # Two at least: a download waits for the network while a build works.
    workers = max(2, os.cpu_count() or 1)
    results = work.side_by_side([obtain(job) for job in jobs.values()], workers)
    return dict(zip(jobs, results, strict=True))


def _contents(
    catalogue: Catalogue, found: Mapping[str, Mapping[str, Blob]]
) -> tuple[dict[str, Blob], dict[str, images.Parts]]:
    """The binaries that hosts get, and what the images are made of."""
    binaries = {
        name: blob
        for component, details in catalogue.components.items()
        if details.on_hosts
        for name, blob in found[component].items()
    }
    return binaries, images.parts_of(catalogue, _ARTIFACTS / "images", _DEMONSTRATOR, found)


def _point(link: Path, target: Path) -> None:
    """Point a symbolic link at the release, at once."""
    link.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if link.is_symlink() and link.readlink() == target:
        return
    new = link.with_name(".release.new")
    new.unlink(missing_ok=True)
    new.symlink_to(target)
    new.rename(link)
