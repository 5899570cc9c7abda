"""A release: everything that a site needs, in one directory that hosts read."""

import json
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import docker
import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from runner.errors import PrepareError
from runner.prepare import FILE_NAME, ReleaseManifest, images
from runner.prepare.artifacts import Work
from runner.prepare.cache import checksums, digest, files_below, pack, publish
from runner.prepare.images import ImageInputs
from runner.process import in_background

# To be changed with the directory's layout, so that no older release is taken for a new one.
_LAYOUT = "bin/ registry.tar"
# About 15 seconds until the registry has started.
_START = Retry(total=34, backoff_factor=0.05, backoff_max=0.5)


@dataclass(frozen=True)
class Contents:
    """What a release consists of, by name: the binaries for hosts, and the images."""

    binaries: Mapping[str, Path]
    images: Mapping[str, ImageInputs]

    @cached_property
    def id(self) -> str:
        """The release's id, which is the same for the same binaries and images."""
        tags = {name: image.tag for name, image in self.images.items()}
        return digest({"layout": _LAYOUT, "binaries": checksums(self.binaries), "images": tags})[:12]


def build(contents: Contents, client: docker.DockerClient, work: Work) -> ReleaseManifest:
    """Assemble a release and publish it in the cache."""
    with work.cache.scratch() as scratch:
        directory = scratch / contents.id
        (directory / "bin").mkdir(parents=True)
        for name, blob in contents.binaries.items():
            (directory / "bin" / name).hardlink_to(blob)
        storage = scratch / "registry"
        repositories = storage / "docker/registry/v2/repositories"
        digests = {}
        with _serve(contents.binaries["registry"], storage, scratch) as address:
            for image in contents.images.values():
                if (repository := image.repository) is not None:
                    images.push(client, image, address, work)
                    name, _, tag = repository.rpartition(":")
                    link = repositories / name / "_manifests/tags" / tag / "current/link"
                    digests[repository] = link.read_text("ascii").strip()
        # Its members are below docker/: unpacking leaves the mode of the registry's own directory alone.
        pack(directory / "registry.tar", files_below(storage))
        release = ReleaseManifest(
            id=contents.id,
            host_image=contents.images["host"].tag,
            binaries=checksums(contents.binaries),
            images=digests,
            directory=work.cache.releases / contents.id,
        )
        (directory / FILE_NAME).write_text(release.model_dump_json(indent=2) + "\n", "utf-8")
        # Services on hosts read it as users of their own, whatever this user's umask says.
        for path in [directory, *directory.rglob("*")]:
            path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
        if release.directory.exists():  # without a manifest that can be read
            shutil.rmtree(release.directory)
        publish(directory, release.directory)
    return release


@contextmanager
def _serve(program: Path, storage: Path, scratch: Path) -> Iterator[str]:
    """Run the registry, which writes its own storage, on a free port of loopback, and yield its address."""
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
    with in_background(command, log, os.environ | {"OTEL_TRACES_EXPORTER": "none"}), requests.Session() as session:
        session.trust_env = False  # no proxy leads to loopback
        session.mount("http://", HTTPAdapter(max_retries=_START))
        try:
            session.get(f"http://{address}/v2/", timeout=5).raise_for_status()
        except requests.RequestException as error:
            details = log.read_text("utf-8", errors="replace")[-2000:]
            raise PrepareError("The registry did not start.", details=details) from error
        yield address
