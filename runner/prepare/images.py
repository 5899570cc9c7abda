"""Images built by Docker without a network: everything they consist of is in the cache beforehand."""

import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import docker
import requests
import urllib3
from docker.errors import DockerException, ImageNotFound

from runner.errors import MachineError, PrepareError
from runner.events import Progress, Report
from runner.prepare.archive import files_below, pack, sources_below
from runner.prepare.cache import Blob, Cache, digest, tree_digest
from runner.prepare.catalogue import Catalogue, Image
from runner.prepare.wheels import install
from runner.process import JobRunner

_PREFIX = "inaetics-demo-cluster"
_HOME = "/opt/inaetics"
# A push or the import of a root file system may be silent for long.
_SECONDS = 600
_LAST_LINES = 30
# Docker's client lets errors of the libraries below it pass, when the daemon ends or does not answer in time.
_DOCKER_ERRORS = (DockerException, requests.RequestException, urllib3.exceptions.HTTPError)


@dataclass(frozen=True)
class ImageInputs:
    """Everything an image is made of, in the cache or the checkout."""

    name: str
    image: Image
    directory: Path
    rootfs: Mapping[str, Blob]
    binaries: Mapping[str, Blob]
    wheels: Mapping[str, Blob]
    demonstrator: Mapping[str, Path]
    base: str | None

    @cached_property
    def tag(self) -> str:
        """The image's name in Docker, which is the same for the same inputs; all of them are read for it, once."""
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
        """Return the files beside the Dockerfile; those in rootfs/ are part of the root file system."""
        return {name: path for name, path in files_below(self.directory).items() if not name.startswith("rootfs/")}


@contextmanager
def docker_client() -> Iterator[docker.DockerClient]:
    """Connect to this machine's Docker, and translate the errors of everything that is done with it.

    Raises:
        MachineError: Docker does not answer.
        PrepareError: Docker fails later.
    """
    try:
        client = docker.from_env(timeout=_SECONDS)
        client.ping()
    except _DOCKER_ERRORS as error:
        raise MachineError(f"Docker does not answer: {error}", "Run `make site` or `doctor --fix`.") from error
    try:
        with closing(client):
            yield client
    except _DOCKER_ERRORS as error:
        raise PrepareError(
            f"Docker failed: {error}", "Run the command again; `docker info` tells how Docker is."
        ) from error


def exists(client: docker.DockerClient, tag: str) -> bool:
    """Tell whether Docker has an image."""
    try:
        client.images.get(tag)
    except ImageNotFound:
        return False
    return True


def image_inputs(
    catalogue: Catalogue, images: Path, demonstrator: Path, artifacts: Mapping[str, Mapping[str, Blob]]
) -> dict[str, ImageInputs]:
    """Collect the inputs of every image, in the catalogue's order.

    Args:
        catalogue: names the images.
        images: the directory with one directory for each image.
        demonstrator: the demonstrator's sources.
        artifacts: the files of each artifact in the cache: a component's binaries, rootfs/IMAGE, wheels/IMAGE,
            and native/BUNDLE, whose library is put among the bundle's own files.
    """
    binaries = {name: blob for component in catalogue.components for name, blob in artifacts[component].items()}
    code = {name: path for name, path in sources_below(demonstrator).items() if not name.startswith("tests/")}
    for artifact, files in artifacts.items():
        kind, _, bundle = artifact.partition("/")
        if kind == "native":
            code |= {f"bundles/{bundle}/{name}": blob.path for name, blob in files.items()}
    inputs: dict[str, ImageInputs] = {}
    for name, image in catalogue.images.items():
        inputs[name] = ImageInputs(
            name=name,
            image=image,
            directory=images / name,
            rootfs=artifacts.get(f"rootfs/{name}", {}),
            binaries={binary: binaries[binary] for binary in image.binaries},
            wheels=artifacts.get(f"wheels/{name}", {}),
            demonstrator=code if image.application else {},
            base=None if image.base is None else inputs[image.base].tag,
        )
    return inputs


def build(
    client: docker.DockerClient, inputs: ImageInputs, python: str, cache: Cache, jobs: JobRunner, report: Report
) -> None:
    """Build an image unless Docker has it.

    Raises:
        PrepareError: a step of the Dockerfile fails.
    """
    if exists(client, inputs.tag):
        return
    item = f"image {inputs.name}"
    report(Progress("prepare", item, "assemble"))
    with cache.scratch() as scratch:
        content = dict(inputs.context)
        content |= {name: blob.path for part in (inputs.rootfs, inputs.binaries) for name, blob in part.items()}
        if inputs.image.application:
            application = scratch / "application"
            _assemble_application(client, inputs, python, application, jobs)
            content |= files_below(application)
        context = scratch / "context.tar"
        pack(context, content)
        with context.open("rb") as file:
            steps = client.api.build(
                fileobj=file,
                custom_context=True,
                tag=inputs.tag,
                buildargs={} if inputs.base is None else {"BASE": inputs.base},
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
    if not exists(client, inputs.tag):
        raise PrepareError(f"Image {inputs.name} could not be built.", details="\n".join(output[-_LAST_LINES:]))
    report(Progress("prepare", item, inputs.tag, finished=True))


def push(client: docker.DockerClient, inputs: ImageInputs, registry: str, report: Report) -> None:
    """Push an image to a registry on loopback under its name in the cluster.

    Raises:
        PrepareError: the registry does not accept it.
    """
    item = f"image {inputs.name}"
    target = f"{registry}/{inputs.image.repository}"
    report(Progress("prepare", item, "push to the registry's storage"))
    client.images.get(inputs.tag).tag(target)
    try:
        lines = list(client.images.push(target, stream=True, decode=True))
    finally:
        client.images.remove(target)
    if errors := [line["error"] for line in lines if "error" in line]:
        raise PrepareError(f"Image {inputs.name} could not be pushed: {errors[0]}")
    report(Progress("prepare", item, "in the registry's storage", finished=True))


def _assemble_application(
    client: docker.DockerClient, inputs: ImageInputs, python: str, target: Path, jobs: JobRunner
) -> None:
    """Create site-packages/ and demonstrator/ below `target`, compiled by the Python that will run them.

    The containers' root is read-only, so nothing could be compiled later; unchecked, since the
    sources in an image do not change.
    """
    assert inputs.base is not None  # the catalogue demands one for an application image
    wheels = target.parent / "wheels"
    wheels.mkdir()
    install(inputs.wheels, python, target / "site-packages", wheels, jobs)
    for name, path in inputs.demonstrator.items():
        copy = target / "demonstrator" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    compile_all = ["-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash"]
    client.containers.run(
        inputs.base,
        entrypoint=["python3"],  # the base may be an application itself
        command=[*compile_all, "-s", "/application", "-p", _HOME, "/application"],
        volumes={str(target): {"bind": "/application", "mode": "rw"}},
        user=f"{os.getuid()}:{os.getgid()}",
        network_mode="none",
        remove=True,
    )
