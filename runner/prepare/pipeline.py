"""Everything that a site needs, put into the cache so that raising the site needs no network."""

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import docker

from runner.errors import PrepareError
from runner.events import Report
from runner.prepare import ReleaseManifest, images, release
from runner.prepare.artifacts import Artifact, Source, Work
from runner.prepare.cache import Cache, CacheKey, files_below, tree_digest
from runner.prepare.catalogue import Catalogue, load
from runner.prepare.debian import root_filesystem
from runner.prepare.golang import Go
from runner.prepare.images import ImageInputs
from runner.prepare.native import bundles, library
from runner.prepare.sources import Downloader
from runner.prepare.wheels import wheels
from runner.process import JobRunner
from runner.state import CHECKOUT, State

_ARTIFACTS = CHECKOUT / "artifacts"
_IMAGES = _ARTIFACTS / "images"
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
        found = _prepare(Work(Cache(cache), report, JobRunner()), client, mirror)
        state.create()
        new = state.release.with_name(".release.new")
        new.unlink(missing_ok=True)
        new.symlink_to(found.directory)
        new.rename(state.release)
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


def _prepare(work: Work, client: docker.DockerClient, mirror: str | None) -> ReleaseManifest:
    catalogue = load(_ARTIFACTS / "catalogue.yml")
    artifacts = _artifacts(catalogue, work, mirror)
    cached = {
        name: files for name, artifact in artifacts.items() if (files := work.cache.lookup(artifact.key)) is not None
    }
    if len(cached) == len(artifacts):
        found = ReleaseManifest.read(work.cache.releases / _contents(catalogue, cached).id)
        if found and images.exists(client, found.host_image):
            return found
    with work.cache.locked(lambda: work.note(f"Another prepare is using {work.cache.root}: waiting for it to finish.")):
        # At least two workers: a download waits for the network while a build uses a processor.
        stored = work.jobs.run_parallel(
            [partial(work.provide, artifact) for artifact in artifacts.values()],
            max(2, os.cpu_count() or 1),
        )
        contents = _contents(catalogue, dict(zip(artifacts, stored, strict=True)))
        found = ReleaseManifest.read(work.cache.releases / contents.id)
        for name, image in contents.images.items():
            if found is None or name == "host":
                images.build(client, image, catalogue.debian.python, work)
        return found or release.build(contents, client, work)


def _artifacts(catalogue: Catalogue, work: Work, mirror: str | None) -> dict[str, Artifact]:
    """Return every artifact: a component's binaries, native/BUNDLE, rootfs/IMAGE and wheels/IMAGE."""
    artifacts = {
        f"native/{bundle}": library(bundle, files, work) for bundle, files in bundles(_DEMONSTRATOR / "bundles").items()
    }
    for name, image in catalogue.images.items():
        directory = _IMAGES / name
        if (root := image.rootfs) is not None:
            suite = catalogue.debian.suite
            artifacts[f"rootfs/{name}"] = root_filesystem(name, root, suite, directory / "rootfs", work)
        if image.application:
            requirements = directory / "requirements.txt"
            artifacts[f"wheels/{name}"] = wheels(name, requirements, catalogue.debian.python, work)
    downloader = Downloader(work)
    go = Go(catalogue.go, work)
    for name, component in catalogue.components.items():
        module = _ARTIFACTS / "go" / name
        inputs = {"go": catalogue.go.version, "module": tree_digest(files_below(module))}
        key = CacheKey("binaries", name, {**inputs, "component": component.model_dump(mode="json")})
        sources: list[Source] = [partial(go.build, name, component, module)]
        if component.release is not None:
            sources.insert(0, partial(downloader.release, name, component, component.release))
        artifacts[name] = Artifact(key, sources, mode=0o755)
    if mirror is None:
        return artifacts
    return {
        name: replace(artifact, sources=[partial(downloader.mirror, mirror, artifact.key), *artifact.sources])
        for name, artifact in artifacts.items()
    }


def _contents(catalogue: Catalogue, artifacts: Mapping[str, Mapping[str, Path]]) -> release.Contents:
    """Return the contents of the release that these files in the cache make, by their names in `_artifacts`."""
    binaries: dict[str, Path] = {}
    for_hosts: dict[str, Path] = {}
    for name, component in catalogue.components.items():
        binaries |= artifacts[name]
        if component.on_hosts:
            for_hosts |= artifacts[name]
    code = {name: path for name, path in files_below(_DEMONSTRATOR).items() if "__pycache__" not in path.parts}
    for bundle in bundles(_DEMONSTRATOR / "bundles"):
        code |= {f"bundles/{bundle}/{name}": blob for name, blob in artifacts[f"native/{bundle}"].items()}
    inputs: dict[str, ImageInputs] = {}
    for name, image in catalogue.images.items():
        inputs[name] = ImageInputs(
            name=name,
            directory=_IMAGES / name,
            blobs={**artifacts.get(f"rootfs/{name}", {}), **{binary: binaries[binary] for binary in image.binaries}},
            wheels=artifacts.get(f"wheels/{name}", {}),
            demonstrator=code if image.application else {},
            base=None if image.base is None else inputs[image.base].tag,
            repository=image.repository,
        )
    return release.Contents(for_hosts, inputs)
