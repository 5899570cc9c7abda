"""Everything that a site needs, put into the cache so that raising the site needs no network."""

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import docker

from runner.errors import PrepareError
from runner.events import Note, Report
from runner.prepare import debian, golang, images, native, release, sources, wheels
from runner.prepare.cache import Blob, Cache, CacheKey
from runner.prepare.catalogue import Catalogue, load
from runner.prepare.download import Downloader
from runner.prepare.manifest import ReleaseManifest
from runner.process import JobRunner
from runner.state import CHECKOUT, State

_ARTIFACTS = CHECKOUT / "artifacts"
_DEMONSTRATOR = CHECKOUT / "demonstrator"
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_ACCESS = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.EXDEV, errno.EIO)


def prepare(cache: Path, state: State, report: Report, mirror: str | None = None) -> ReleaseManifest:
    """Download, build and assemble what the catalogue names and the cache lacks.

    Args:
        cache: the cache that all checkouts share.
        state: this checkout's files; its link `release` will point to the release.
        report: receives every event.
        mirror: a copy of another machine's cache, as a directory or a URL.

    Raises:
        MachineError: Docker does not answer.
        PrepareError: an artifact, an image or the release could not be made.
    """
    with translate_errors(cache), images.docker_client() as client:
        found = _prepare(Cache(cache), client, report, mirror)
        replace_symlink(state.release, found.directory)
    return found


@contextmanager
def translate_errors(cache: Path) -> Iterator[None]:
    """Translate disk-full and access errors into PrepareError."""
    try:
        yield
    except OSError as error:
        problem = f"{error.strerror}: {error.filename or cache}."
        if error.errno in _DISK_FULL:
            raise PrepareError(
                f"{problem} Nothing unfinished was kept.",
                f"Free space on the file system of {cache}: 2 GB, and 14 GB for Go's own caches if it has to build.",
            ) from error
        if error.errno in _NO_ACCESS:
            raise PrepareError(problem, f"Check that you own it, and can write below {cache}.") from error
        raise


def _prepare(cache: Cache, client: docker.DockerClient, report: Report, mirror: str | None) -> ReleaseManifest:
    catalogue = load(_ARTIFACTS / "catalogue.yml")
    jobs = JobRunner()
    artifacts = _artifacts(catalogue, cache, jobs, report, mirror)

    cached = {name: blobs for name, artifact in artifacts.items() if (blobs := cache.lookup(artifact.key)) is not None}
    if len(cached) == len(artifacts):
        binaries, inputs = _contents(catalogue, cached)
        found = release.find(cache, release.release_id(binaries, inputs))
        if found and images.exists(client, found.host_image):
            return found

    def on_wait() -> None:
        report(Note("prepare", f"Another prepare is using {cache.root}: waiting for it to finish."))

    with cache.locked(on_wait):
        # At least two workers: a download waits for the network while a build uses a processor.
        stored = jobs.run_parallel(
            [partial(sources.fetch_or_build, cache, artifact, report) for artifact in artifacts.values()],
            max(2, os.cpu_count() or 1),
        )
        binaries, inputs = _contents(catalogue, dict(zip(artifacts, stored, strict=True)))
        release_id = release.release_id(binaries, inputs)
        found = release.find(cache, release_id)
        for name, image in inputs.items():
            if found is None or name == "host":
                images.build(client, image, catalogue.debian.python, cache, jobs, report)
        return found or release.build(release_id, binaries, inputs, binaries["registry"].path, client, cache, report)


def _artifacts(
    catalogue: Catalogue, cache: Cache, jobs: JobRunner, report: Report, mirror: str | None
) -> dict[str, sources.Artifact]:
    """Return every artifact that the catalogue asks for, by its name in `images.image_inputs`."""
    artifacts: dict[str, sources.Artifact] = {}
    downloader = Downloader(jobs, report)
    go = golang.Go(catalogue.go, cache, jobs, report)

    def add(name: str, key: CacheKey, *fetchers: sources.Fetcher, mode: int = 0o644) -> None:
        copies = () if mirror is None else (partial(sources.mirror, mirror, key, downloader),)
        artifacts[name] = sources.Artifact(key, (*copies, *fetchers), mode)

    python = catalogue.debian.python
    for name, image in catalogue.images.items():
        directory = _ARTIFACTS / "images" / name
        if (root := image.rootfs) is not None:
            hooks = directory / "rootfs"
            key = debian.cache_key(name, root, catalogue.debian, hooks)
            add(f"rootfs/{name}", key, partial(debian.bootstrap, key.name, root, catalogue.debian, hooks, jobs, report))
        if image.application:
            requirements = directory / "requirements.txt"
            key = wheels.cache_key(name, requirements, python)
            add(f"wheels/{name}", key, partial(wheels.download, key.name, requirements, python, jobs, report))
    for name, files in native.bundles(_DEMONSTRATOR / "bundles").items():
        key = native.cache_key(name, files)
        add(f"native/{name}", key, partial(native.build, key.name, files, jobs, report))
    for name, component in catalogue.components.items():
        module = _ARTIFACTS / "go" / name
        fetchers: list[sources.Fetcher] = [partial(go.build, name, component, module)]
        if component.release is not None:
            fetchers.insert(0, partial(sources.published, name, component, component.release, downloader))
        add(name, golang.cache_key(name, component, catalogue.go, module), *fetchers, mode=0o755)
    return artifacts


def _contents(
    catalogue: Catalogue, artifacts: Mapping[str, Mapping[str, Blob]]
) -> tuple[dict[str, Blob], dict[str, images.ImageInputs]]:
    """Return the binaries for hosts, and the inputs of the images."""
    binaries = {
        name: blob
        for component, details in catalogue.components.items()
        if details.on_hosts
        for name, blob in artifacts[component].items()
    }
    return binaries, images.image_inputs(catalogue, _ARTIFACTS / "images", _DEMONSTRATOR, artifacts)


def replace_symlink(link: Path, target: Path) -> None:
    """Point a symbolic link at `target` in one step."""
    link.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if link.is_symlink() and link.readlink() == target:
        return
    new = link.with_name(".release.new")
    new.unlink(missing_ok=True)
    new.symlink_to(target)
    new.rename(link)
