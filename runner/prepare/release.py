"""A release: everything that a site needs, in one directory that hosts read."""

import json
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import docker
import requests
from pydantic import ValidationError
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from runner.errors import PrepareError
from runner.events import Report
from runner.prepare import images, manifest
from runner.prepare.archive import files_below, pack
from runner.prepare.cache import Blob, Cache, digest, publish
from runner.prepare.images import ImageInputs
from runner.prepare.manifest import ReleaseManifest
from runner.process import in_background

_ID_LENGTH = 12
# To be changed with the directory's layout, so that no older release is taken for a new one.
_LAYOUT = "bin/ registry.tar"
# About 15 seconds until the registry has started.
_START = Retry(total=34, backoff_factor=0.05, backoff_max=0.5)


def release_id(binaries: Mapping[str, Blob], inputs: Mapping[str, ImageInputs]) -> str:
    """Return a release's id, which is the same for the same binaries and images."""
    checksums = {name: blob.sha256 for name, blob in binaries.items()}
    tags = {name: image.tag for name, image in inputs.items()}
    return digest({"layout": _LAYOUT, "binaries": checksums, "images": tags})[:_ID_LENGTH]


def find(cache: Cache, id_: str) -> ReleaseManifest | None:
    """Return the release, or None if the cache does not have it."""
    try:
        return ReleaseManifest.read(cache.releases / id_)
    except (FileNotFoundError, ValidationError):
        return None


def build(
    id_: str,
    binaries: Mapping[str, Blob],
    inputs: Mapping[str, ImageInputs],
    registry: Path,
    client: docker.DockerClient,
    cache: Cache,
    report: Report,
) -> ReleaseManifest:
    """Assemble a release from binaries in the cache and images in Docker.

    Args:
        id_: the release's id.
        binaries: the binaries for hosts, by name.
        inputs: the images, by name.
        registry: the registry's program, which writes its own storage.
        client: Docker, which has the images.
        cache: where the release is published.
        report: receives the progress.
    """
    with cache.scratch() as scratch:
        directory = scratch / id_
        (directory / "bin").mkdir(parents=True)
        for name, blob in binaries.items():
            (directory / "bin" / name).hardlink_to(blob.path)
        storage = scratch / "registry"
        digests = {}
        with _serve(registry, storage, scratch) as address:
            for image in inputs.values():
                if image.image.repository is not None:
                    images.push(client, image, address, report)
                    digests[image.image.repository] = _manifest_digest(storage, image.image.repository)
        # Its members are below docker/: unpacking leaves the mode of the registry's own directory alone.
        pack(directory / "registry.tar", files_below(storage))
        release = ReleaseManifest(
            id=id_,
            host_image=inputs["host"].tag,
            binaries={name: blob.sha256 for name, blob in binaries.items()},
            images=digests,
            directory=cache.releases / id_,
        )
        (directory / manifest.FILE_NAME).write_text(release.model_dump_json(indent=2) + "\n", "utf-8")
        # Services on hosts read it as users of their own, whatever this user's umask says.
        for path in [directory, *directory.rglob("*")]:
            path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
        if release.directory.exists():  # without a manifest that can be read
            shutil.rmtree(release.directory)
        publish(directory, release.directory)
    return release


@contextmanager
def _serve(program: Path, storage: Path, scratch: Path) -> Iterator[str]:
    """Run the registry on a free port of loopback, and yield its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    configuration = scratch / "registry.json"  # JSON is YAML
    settings = {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(storage)}},
        "http": {"addr": address},
    }
    configuration.write_text(json.dumps(settings), "utf-8")
    log = scratch / "registry.log"
    command = [str(program), "serve", str(configuration)]
    with in_background(command, log, os.environ | {"OTEL_TRACES_EXPORTER": "none"}):
        try:
            _wait_for_answer(f"http://{address}/v2/")
        except requests.RequestException as error:
            details = log.read_text("utf-8", errors="replace")[-2000:]
            raise PrepareError("The registry did not start.", details=details) from error
        yield address


def _wait_for_answer(url: str) -> None:
    with requests.Session() as session:
        session.trust_env = False  # no proxy leads to loopback
        session.mount("http://", HTTPAdapter(max_retries=_START))
        session.get(url, timeout=5).raise_for_status()


def _manifest_digest(storage: Path, repository: str) -> str:
    """Return the digest of the manifest that a tag ("name:tag") points to in the registry's storage."""
    name, _, tag = repository.rpartition(":")
    link = storage / "docker/registry/v2/repositories" / name / "_manifests/tags" / tag / "current/link"
    return link.read_text("ascii").strip()
