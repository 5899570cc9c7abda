"""Everything that a site needs, put into the cache so that raising the site needs no network."""

import os
import shutil
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

from docker import DockerClient

from runner.events import Report
from runner.prepare import FILE_NAME, ReleaseManifest, images
from runner.prepare.artifacts import Artifact, Work
from runner.prepare.builds import binaries, native_bundles, native_library, root_filesystem, wheels
from runner.prepare.cache import Cache, checksums, digest, files_below, pack, publish
from runner.prepare.catalogue import Catalogue, load
from runner.prepare.images import ImageInputs
from runner.prepare.sources import Downloader
from runner.prepare.uses import Use
from runner.process import JobRunner
from runner.state import CHECKOUT, State

_ARTIFACTS = CHECKOUT / "artifacts"
_IMAGES = _ARTIFACTS / "images"
_DEMONSTRATOR = CHECKOUT / "demonstrator"
_BUNDLES = _DEMONSTRATOR / "bundles"
# To be changed with the layout of a release's directory, so that no older release is taken for a new one.
_LAYOUT = "bin/ registry.tar"


def prepare(cache: Path, state: State, report: Report, mirror: str | None = None) -> ReleaseManifest:
    """Download, build and assemble what the catalogue names and the cache lacks.

    `state.release` becomes a link to the release. `mirror` is a copy of another machine's cache, as a directory or URL.

    Raises MachineError if Docker does not answer, and PrepareError for what could not be made.
    """
    with images.docker_client() as client:
        found = _prepare(Work(Cache(cache), report, JobRunner()), client, mirror, state.checkout)
        state.create()
        new = state.release.with_name(".release.new")
        new.unlink(missing_ok=True)
        new.symlink_to(found.directory)
        new.rename(state.release)
    return found


def _prepare(work: Work, client: DockerClient, mirror: str | None, checkout: Path) -> ReleaseManifest:
    def record(plan: ReleaseManifest, inputs: Mapping[str, ImageInputs]) -> None:
        recipes = tuple(artifact.key.sha256 for artifact in artifacts.values())
        tags = tuple(image.tag for image in inputs.values())
        Use(checkout=checkout, releases=(plan.id,), recipes=recipes, images=tags).record(cache)

    catalogue, cache = load(_ARTIFACTS / "catalogue.yml"), work.cache
    artifacts = _artifacts(catalogue, work, mirror)
    cached = {name: files for name, artifact in artifacts.items() if (files := cache.lookup(artifact.key)) is not None}
    if len(cached) == len(artifacts):
        plan, inputs = _plan(catalogue, cached, cache)
        found = ReleaseManifest.read(plan.directory)
        if found and client.images.list(found.host_image):
            record(plan, inputs)
            return found
    with cache.locked(lambda: work.note(f"Another prepare is using {cache.root}: waiting for it to finish.")):
        # At least two workers: a download waits for the network while a build uses a processor.
        jobs = [partial(work.provide, artifact) for artifact in artifacts.values()]
        stored = work.jobs.run_parallel(jobs, max(2, os.cpu_count() or 1))
        plan, inputs = _plan(catalogue, dict(zip(artifacts, stored, strict=True)), cache)
        record(plan, inputs)
        found = ReleaseManifest.read(plan.directory)
        for name, image in inputs.items():
            if found is None or name == "host":
                images.build(client, image, catalogue.debian.python, work)
        return found or _assemble(plan, inputs.values(), client, work)


def _artifacts(catalogue: Catalogue, work: Work, mirror: str | None) -> dict[str, Artifact]:
    """Return every artifact: a component's binaries, native/BUNDLE, rootfs/IMAGE and wheels/IMAGE."""
    artifacts = {f"native/{bundle.name}": native_library(bundle, work) for bundle in native_bundles(_BUNDLES)}
    for name, image in catalogue.images.items():
        if image.rootfs is not None:
            suite = catalogue.debian.suite
            artifacts[f"rootfs/{name}"] = root_filesystem(_IMAGES / name, image.rootfs, suite, work)
        if image.application:
            artifacts[f"wheels/{name}"] = wheels(_IMAGES / name, catalogue.debian.python, work)
    downloader = Downloader(work)
    for name, component in catalogue.components.items():
        artifacts[name] = binaries(_ARTIFACTS / "go" / name, component, catalogue.go, work)
        if component.release is not None:
            release = partial(downloader.release, name, component, component.release)
            artifacts[name].sources.insert(0, release)
    if mirror is not None:
        for artifact in artifacts.values():
            artifact.sources.insert(0, partial(downloader.mirror, mirror, artifact.key))
    return artifacts


def _plan(
    catalogue: Catalogue, artifacts: Mapping[str, Mapping[str, Path]], cache: Cache
) -> tuple[ReleaseManifest, dict[str, ImageInputs]]:
    """Return the release that these artifacts make, which has no images yet, and the inputs of its images."""
    programs: dict[str, Path] = {}
    for_hosts: dict[str, Path] = {}
    for name, component in catalogue.components.items():
        programs |= artifacts[name]
        if component.on_hosts:
            for_hosts |= artifacts[name]
    code = {name: path for name, path in files_below(_DEMONSTRATOR).items() if "__pycache__" not in path.parts}
    for bundle in native_bundles(_BUNDLES):
        code |= {f"bundles/{bundle.name}/{name}": blob for name, blob in artifacts[f"native/{bundle.name}"].items()}
    inputs: dict[str, ImageInputs] = {}
    for name, image in catalogue.images.items():
        inputs[name] = ImageInputs(
            directory=_IMAGES / name,
            blobs={**artifacts.get(f"rootfs/{name}", {}), **{binary: programs[binary] for binary in image.binaries}},
            wheels=artifacts.get(f"wheels/{name}", {}),
            demonstrator=code if image.application else {},
            base=None if image.base is None else inputs[image.base].tag,
            repository=image.repository,
        )
    sums, tags = checksums(for_hosts), {name: image.tag for name, image in inputs.items()}
    release_id = digest({"layout": _LAYOUT, "binaries": sums, "images": tags})[:12]
    directory = cache.releases / release_id
    plan = ReleaseManifest(id=release_id, host_image=tags["host"], binaries=sums, images={}, directory=directory)
    return plan, inputs


def _assemble(
    plan: ReleaseManifest, inputs: Iterable[ImageInputs], client: DockerClient, work: Work
) -> ReleaseManifest:
    """Make a release, which is one directory that hosts read, and publish it in the cache."""
    with work.cache.scratch() as scratch:
        directory, storage = scratch / plan.id, scratch / "registry"
        (directory / "bin").mkdir(parents=True)
        for name, sha256 in plan.binaries.items():
            (directory / "bin" / name).hardlink_to(work.cache.blobs / sha256)
        pushed = images.push(client, inputs, directory / "bin" / "registry", storage, work)
        release = plan.model_copy(update={"images": pushed})
        # Its members are below docker/: unpacking leaves the mode of the registry's own directory alone.
        pack(directory / "registry.tar", files_below(storage))
        (directory / FILE_NAME).write_text(release.model_dump_json(indent=2) + "\n", "utf-8")
        # Services on hosts read it as users of their own, whatever this user's umask says.
        for path in [directory, *directory.rglob("*")]:
            path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
        if release.directory.exists():  # without a manifest that can be read
            shutil.rmtree(release.directory)
        publish(directory, release.directory)
    return release
