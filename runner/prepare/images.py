"""Images built by Docker without a network: everything they consist of is in the cache beforehand."""

import json
import os
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import requests
import urllib3
from docker import DockerClient
from docker.credentials.errors import StoreError
from docker.errors import DockerException

from runner.errors import MachineError, PrepareError
from runner.prepare.artifacts import Work
from runner.prepare.builds import install_wheels
from runner.prepare.cache import checksums, digest, files_below, pack, tree_digest
from runner.process import in_background

PREFIX = "inaetics-demo-cluster/"  # of all images' names in Docker
# A push or the import of a root file system may be silent for long.
_SECONDS = 600
# About 15 seconds until the registry has started, with any answer that is not an error.
_START = urllib3.Retry(total=34, backoff_factor=0.05, backoff_max=0.5, status_forcelist=range(400, 600))
_BUILD: dict[str, Any] = {"custom_context": True, "network_mode": "none", "rm": True, "forcerm": True, "decode": True}
# Docker's client lets errors of what is below it pass: the daemon does not answer, or a helper for passwords is gone.
_DOCKER_ERRORS = (DockerException, StoreError, requests.RequestException, urllib3.exceptions.HTTPError)


@dataclass(frozen=True)
class ImageInputs:
    """Everything an image is made of, and its name in the cluster's registry if it has one."""

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
        return f"{PREFIX}{self.directory.name}:{digest(inputs)[:12]}"

    @property
    def context(self) -> dict[str, Path]:
        """The files beside the Dockerfile; those in rootfs/ are part of the root file system."""
        return {name: path for name, path in files_below(self.directory).items() if not name.startswith("rootfs/")}


@contextmanager
def docker_client() -> Iterator[DockerClient]:
    """Connect to this machine's Docker, and turn the errors of everything that is done with it into a MachineError."""
    try:
        with closing(DockerClient.from_env(timeout=_SECONDS)) as client:
            client.ping()
            yield client
    except _DOCKER_ERRORS as error:
        raise MachineError(f"Docker failed: {error}", "Run `make doctor`, then the same command again.") from error


def build(client: DockerClient, inputs: ImageInputs, python: str, work: Work) -> None:
    """Build an image unless Docker has it; raises PrepareError if a step of the Dockerfile fails."""
    if client.images.list(inputs.tag):
        return
    item = f"image {inputs.directory.name}"
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
    if not client.images.list(inputs.tag):
        raise PrepareError(f"Image {inputs.directory.name} could not be built.", details="\n".join(output[-30:]))
    work.progress(item, inputs.tag, finished=True)


def push(
    client: DockerClient, images: Iterable[ImageInputs], registry: Path, storage: Path, work: Work
) -> dict[str, str]:
    """Push the images that are for the cluster to a registry on loopback, and return their digests by name.

    The registry's program writes `storage`; raises PrepareError if it does not start, or does not accept an image.
    """
    digests = {}
    with work.cache.scratch() as scratch, _serve(registry, storage, scratch) as address:
        for image in images:
            if image.repository is not None:
                _push(client, image, f"{address}/{image.repository}", work)
                name, _, tag = image.repository.rpartition(":")
                tags = storage / "docker/registry/v2/repositories" / name / "_manifests/tags"
                digests[image.repository] = (tags / tag / "current/link").read_text("ascii").strip()
    return digests


def _push(client: DockerClient, inputs: ImageInputs, target: str, work: Work) -> None:
    item = f"image {inputs.directory.name}"
    work.progress(item, "push to the registry's storage")
    client.images.get(inputs.tag).tag(target)
    try:
        lines = list(client.images.push(target, stream=True, decode=True))
    finally:
        client.images.remove(target)
    if errors := [line["error"] for line in lines if "error" in line]:
        raise PrepareError(f"Image {inputs.directory.name} could not be pushed: {errors[0]}")
    work.progress(item, "in the registry's storage", finished=True)


@contextmanager
def _serve(program: Path, storage: Path, scratch: Path) -> Iterator[str]:
    """Run the registry on a free port of loopback, and yield its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    configuration, log = scratch / "registry.json", scratch / "registry.log"
    settings = {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(storage)}},
        "http": {"addr": address},
    }
    configuration.write_text(json.dumps(settings), "utf-8")  # JSON is YAML
    with in_background([str(program), "serve", str(configuration)], log):
        try:
            # Not by requests, which would look for a proxy.
            urllib3.request("GET", f"http://{address}/v2/", retries=_START, timeout=5)
        except urllib3.exceptions.HTTPError as error:
            details = log.read_text("utf-8", errors="replace")[-2000:]
            raise PrepareError("The registry did not start.", details=details) from error
        yield address


def _application(client: DockerClient, inputs: ImageInputs, python: str, work: Work, scratch: Path) -> dict[str, Path]:
    """Return the files of site-packages/ and demonstrator/, compiled by the Python that will run them."""
    assert inputs.base is not None  # the catalogue demands one for an application image
    application = scratch / "application"
    install_wheels(inputs.wheels, python, application / "site-packages", scratch, work)
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
        command=[*compile_all, "-s", "/application", "-p", "/opt/inaetics", "/application"],
        volumes={str(application): {"bind": "/application", "mode": "rw"}},
        user=f"{os.getuid()}:{os.getgid()}",
        network_mode="none",
        remove=True,
    )
    return files_below(application)
