"""Images built with the Docker SDK, without a network: all that goes in is in the cache beforehand."""

import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import docker
from docker.errors import DockerException, ImageNotFound

from runner.errors import MachineError, PrepareError
from runner.events import Progress, Report
from runner.prepare.cache import Blob, Cache, digest, tree_digest
from runner.prepare.catalogue import Catalogue, Image
from runner.prepare.debian import files_below, pack, sources_below
from runner.prepare.wheels import install
from runner.prepare.work import Work

_PREFIX = "inaetics-demo-cluster"
_HOME = "/opt/inaetics"
# A push or the import of a root file system may be silent for long.
_SECONDS = 600
_LAST_LINES = 30


@dataclass(frozen=True)
class Parts:
    """What an image is made of, all of it in the cache or the checkout."""

    name: str
    image: Image
    directory: Path
    rootfs: Mapping[str, Blob]
    binaries: Mapping[str, Blob]
    wheels: Mapping[str, Blob]
    demonstrator: Mapping[str, Path]
    base: str | None

    @property
    def tag(self) -> str:
        """The image's name in Docker: the same parts are the same image."""
        inputs = {
            "context": tree_digest(self.context),
            "blobs": {
                name: blob.sha256 for part in (self.rootfs, self.binaries, self.wheels) for name, blob in part.items()
            },
            "demonstrator": tree_digest(self.demonstrator),
            "base": self.base,
        }
        return f"{_PREFIX}/{self.name}:{digest(inputs)[:12]}"

    @property
    def context(self) -> dict[str, Path]:
        """The files beside the Dockerfile; rootfs/ went into the root file system."""
        return {name: path for name, path in files_below(self.directory).items() if not name.startswith("rootfs/")}


@contextmanager
def connect() -> Iterator[docker.DockerClient]:
    """A client of this machine's Docker.

    Raises:
        MachineError: if it does not answer.
    """
    try:
        client = docker.from_env(timeout=_SECONDS)
        client.ping()
    except DockerException as error:
        raise MachineError(f"Docker does not answer: {error}", remedy="Run `make site` or `doctor --fix`.") from error
    with closing(client):
        yield client


def exists(client: docker.DockerClient, tag: str) -> bool:
    """Whether Docker has the image."""
    try:
        client.images.get(tag)
    except ImageNotFound:
        return False
    return True


def parts_of(
    catalogue: Catalogue, images: Path, demonstrator: Path, found: Mapping[str, Mapping[str, Blob]]
) -> dict[str, Parts]:
    """Put together what each image is made of, in the catalogue's order.

    `found` holds what the cache has for each job: a component's binaries, rootfs/IMAGE, wheels/IMAGE and
    native/BUNDLE, whose library goes where the bundle's own files are.
    """
    binaries = {name: blob for component in catalogue.components for name, blob in found[component].items()}
    code = {name: path for name, path in sources_below(demonstrator).items() if not name.startswith("tests/")}
    for job, files in found.items():
        if job.startswith("native/"):
            bundle = job.removeprefix("native/")
            code |= {f"bundles/{bundle}/{name}": blob.path for name, blob in files.items()}
    everything: dict[str, Parts] = {}
    for name, image in catalogue.images.items():
        everything[name] = Parts(
            name=name,
            image=image,
            directory=images / name,
            rootfs=found.get(f"rootfs/{name}", {}),
            binaries={binary: binaries[binary] for binary in image.binaries},
            wheels=found.get(f"wheels/{name}", {}),
            demonstrator=code if image.application else {},
            base=None if image.base is None else everything[image.base].tag,
        )
    return everything


def build(client: docker.DockerClient, parts: Parts, python: str, cache: Cache, work: Work, report: Report) -> None:
    """Build an image unless Docker has it."""
    if exists(client, parts.tag):
        return
    item = f"image {parts.name}"
    report(Progress("prepare", item, "assemble"))
    with cache.scratch() as scratch:
        content = dict(parts.context)
        content |= {name: blob.path for part in (parts.rootfs, parts.binaries) for name, blob in part.items()}
        if parts.image.application:
            assembled = scratch / "application"
            _application(client, parts, python, assembled, work)
            content |= files_below(assembled)
        context = scratch / "context.tar"
        pack(context, content)
        with context.open("rb") as file:
            steps = client.api.build(
                fileobj=file,
                custom_context=True,
                tag=parts.tag,
                buildargs={} if parts.base is None else {"BASE": parts.base},
                network_mode="none",
                rm=True,
                forcerm=True,
                decode=True,
            )
            output = []
            for step in steps:
                output.append(str(step.get("stream", step.get("error", ""))).rstrip())
                if output[-1].startswith("Step "):
                    report(Progress("prepare", item, output[-1]))
    if not exists(client, parts.tag):
        raise PrepareError(f"Image {parts.name} could not be built.", details="\n".join(output[-_LAST_LINES:]))
    report(Progress("prepare", item, parts.tag, finished=True))


def push(client: docker.DockerClient, parts: Parts, registry: str, report: Report) -> None:
    """Push an image to a registry on loopback under its name in the cluster."""
    assert parts.image.repository is not None  # only such images are pushed
    item = f"image {parts.name}"
    target = f"{registry}/{parts.image.repository}"
    report(Progress("prepare", item, "push to the registry's storage"))
    client.images.get(parts.tag).tag(target)
    try:
        lines = list(client.images.push(target, stream=True, decode=True))
    finally:
        client.images.remove(target)
    if errors := [line["error"] for line in lines if "error" in line]:
        raise PrepareError(f"Image {parts.name} could not be pushed: {errors[0]}")
    report(Progress("prepare", item, "in the registry's storage", finished=True))


def _application(client: docker.DockerClient, parts: Parts, python: str, target: Path, work: Work) -> None:
    """Lay out site-packages/ and demonstrator/, compiled by the Python that will run them.

    The containers' root is read-only, so nothing could be compiled later; unchecked, since the
    sources in an image do not change.
    """
    assert parts.base is not None  # the catalogue says so of an application image
    wheels = target.parent / "wheels"
    wheels.mkdir()
    install(parts.wheels, python, target / "site-packages", wheels, work)
    for name, path in parts.demonstrator.items():
        copy = target / "demonstrator" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    compile_all = ["-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash"]
    client.containers.run(
        parts.base,
        entrypoint=["python3"],  # the base may be an application itself
        command=[*compile_all, "-s", "/application", "-p", _HOME, "/application"],
        volumes={str(target): {"bind": "/application", "mode": "rw"}},
        user=f"{os.getuid()}:{os.getgid()}",
        network_mode="none",
        remove=True,
    )
