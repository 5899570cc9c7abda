"""A release: everything that a site needs, in one directory that hosts read."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import docker
from pydantic import BaseModel, ConfigDict

from runner.events import Report
from runner.prepare import images, registry
from runner.prepare.cache import Blob, Cache, digest, publish
from runner.prepare.debian import files_below, pack
from runner.prepare.images import Parts

_ID_LENGTH = 12
# To be changed with the directory's layout, so that no older release is taken for one.
_LAYOUT = "bin/ registry.tar"


class Manifest(BaseModel):
    """What releases/ID/manifest.json says."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    id: str
    host_image: str
    binaries: dict[str, str]
    images: dict[str, str]


@dataclass(frozen=True)
class Release:
    """One release in the cache."""

    id: str
    directory: Path
    host_image: str
    binaries: dict[str, str]


def identify(binaries: Mapping[str, Blob], parts: Mapping[str, Parts]) -> str:
    """A release's id: the same binaries and the same images are the same release."""
    sums = {name: blob.sha256 for name, blob in binaries.items()}
    tags = {name: part.tag for name, part in parts.items()}
    return digest({"layout": _LAYOUT, "binaries": sums, "images": tags})[:_ID_LENGTH]


def find(cache: Cache, release_id: str) -> Release | None:
    """The release, if the cache has it; a release is complete or not there at all."""
    directory = cache.releases / release_id
    try:
        manifest = Manifest.model_validate_json((directory / "manifest.json").read_bytes())
    except FileNotFoundError:
        return None
    return Release(manifest.id, directory, manifest.host_image, manifest.binaries)


def make(
    release_id: str,
    binaries: Mapping[str, Blob],
    parts: Mapping[str, Parts],
    registry_program: Path,
    client: docker.DockerClient,
    cache: Cache,
    report: Report,
) -> Release:
    """Assemble a release from binaries in the cache and images in Docker."""
    pushed = [part for part in parts.values() if part.image.repository is not None]
    with cache.scratch() as scratch:
        directory = scratch / release_id
        (directory / "bin").mkdir(parents=True)
        for name, blob in binaries.items():
            (directory / "bin" / name).hardlink_to(blob.path)
        storage = scratch / "registry"
        with registry.serve(registry_program, storage, scratch) as address:
            for part in pushed:
                images.push(client, part, address, report)
        # Its members are below docker/: unpacking leaves the mode of the registry's own directory alone.
        pack(directory / "registry.tar", files_below(storage))
        manifest = Manifest(
            id=release_id,
            host_image=parts["host"].tag,
            binaries={name: blob.sha256 for name, blob in binaries.items()},
            images={
                part.image.repository: registry.manifest_digest(storage, part.image.repository)
                for part in pushed
                if part.image.repository is not None
            },
        )
        (directory / "manifest.json").write_text(json.dumps(manifest.model_dump(), indent=2) + "\n", "utf-8")
        _open_to_readers(directory)
        publish(directory, cache.releases / release_id)
    return Release(release_id, cache.releases / release_id, manifest.host_image, manifest.binaries)


def _open_to_readers(directory: Path) -> None:
    # Services on hosts read it as users of their own, whatever the workstation's umask says.
    for path in [directory, *directory.rglob("*")]:
        path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
