"""Images built by Docker without a network: everything they consist of is in the cache beforehand."""

import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import docker
import requests
import urllib3
from docker.errors import DockerException, ImageNotFound

from runner.errors import MachineError, PrepareError
from runner.prepare import wheels
from runner.prepare.artifacts import Work
from runner.prepare.cache import checksums, digest, files_below, pack, tree_digest

_HOME = "/opt/inaetics"
# A push or the import of a root file system may be silent for long.
_SECONDS = 600
_LAST_LINES = 30
_BUILD: dict[str, Any] = {"custom_context": True, "network_mode": "none", "rm": True, "forcerm": True, "decode": True}
# Docker's client lets errors of the libraries below it pass, when the daemon ends or does not answer in time.
_DOCKER_ERRORS = (DockerException, requests.RequestException, urllib3.exceptions.HTTPError)


@dataclass(frozen=True)
class ImageInputs:
    """Everything an image is made of, and its name in the cluster's registry if it has one."""

    name: str
    directory: Path
    blobs: Mapping[str, Path]
    wheels: Mapping[str, Path]
    demonstrator: Mapping[str, Path]
    base: str | None = None
    repository: str | None = None

    @cached_property
    def tag(self) -> str:
        """The image's name in Docker, which is the same for the same inputs; all of them are read for it, once."""
        inputs = {
            "context": tree_digest(self.context),
            "blobs": checksums({**self.blobs, **self.wheels}),
            "demonstrator": tree_digest(self.demonstrator),
            "base": self.base,
        }
        return f"inaetics-demo-cluster/{self.name}:{digest(inputs)[:12]}"

    @property
    def context(self) -> dict[str, Path]:
        """The files beside the Dockerfile; those in rootfs/ are part of the root file system."""
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


def build(client: docker.DockerClient, inputs: ImageInputs, python: str, work: Work) -> None:
    """Build an image unless Docker has it.

    Raises:
        PrepareError: a step of the Dockerfile fails.
    """
    if exists(client, inputs.tag):
        return
    item = f"image {inputs.name}"
    work.progress(item, "assemble")
    with work.cache.scratch() as scratch:
        application = _application(client, inputs, python, work, scratch) if inputs.demonstrator else {}
        context = scratch / "context.tar"
        pack(context, {**inputs.context, **inputs.blobs, **application})
        with context.open("rb") as file:
            arguments = {} if inputs.base is None else {"BASE": inputs.base}
            output = []
            for step in client.api.build(fileobj=file, tag=inputs.tag, buildargs=arguments, **_BUILD):
                output.append(str(step.get("stream", step.get("error", ""))).rstrip())
                if output[-1].startswith("Step "):
                    work.progress(item, output[-1])
    if not exists(client, inputs.tag):
        raise PrepareError(f"Image {inputs.name} could not be built.", details="\n".join(output[-_LAST_LINES:]))
    work.progress(item, inputs.tag, finished=True)


def push(client: docker.DockerClient, inputs: ImageInputs, registry: str, work: Work) -> None:
    """Push an image to a registry on loopback under its name in the cluster.

    Raises:
        PrepareError: the registry does not accept it.
    """
    item = f"image {inputs.name}"
    target = f"{registry}/{inputs.repository}"
    work.progress(item, "push to the registry's storage")
    client.images.get(inputs.tag).tag(target)
    try:
        lines = list(client.images.push(target, stream=True, decode=True))
    finally:
        client.images.remove(target)
    if errors := [line["error"] for line in lines if "error" in line]:
        raise PrepareError(f"Image {inputs.name} could not be pushed: {errors[0]}")
    work.progress(item, "in the registry's storage", finished=True)


def _application(
    client: docker.DockerClient, inputs: ImageInputs, python: str, work: Work, scratch: Path
) -> dict[str, Path]:
    """Return the files of site-packages/ and demonstrator/, compiled by the Python that will run them."""
    assert inputs.base is not None  # the catalogue demands one for an application image
    application = scratch / "application"
    wheels.install(inputs.wheels, python, application / "site-packages", scratch, work)
    for name, path in inputs.demonstrator.items():
        copy = application / "demonstrator" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    # The containers' root is read-only, so nothing could be compiled later; unchecked, since the sources in an
    # image do not change.
    compile_all = ["-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash"]
    client.containers.run(
        inputs.base,
        entrypoint=["python3"],  # the base may be an application itself
        command=[*compile_all, "-s", "/application", "-p", _HOME, "/application"],
        volumes={str(application): {"bind": "/application", "mode": "rw"}},
        user=f"{os.getuid()}:{os.getgid()}",
        network_mode="none",
        remove=True,
    )
    return files_below(application)
