"""The bundles that the image carries, packed, and the targets they are for."""

import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

from demonstrator.contracts import manifest, wire
from demonstrator.contracts.manifest import Manifest, Offer

# The oldest time an archive can carry: the same files give the same digest on every machine.
_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class StoredBundle:
    """A packed bundle."""

    manifest: Manifest
    digest: str
    archive: bytes

    @property
    def offer(self) -> Offer:
        """How it is offered to agents."""
        name, version = self.manifest.name, self.manifest.version
        return Offer(name, version, self.digest, f"/bundles/{name}/{version}")


class Repository:
    """Bundles by name and version, and targets by id."""

    def __init__(self, bundles: dict[str, StoredBundle], targets: dict[str, tuple[str, ...]]) -> None:
        for target, names in targets.items():
            if missing := set(names) - bundles.keys():
                raise LookupError(f"target {target} wants bundles that are not there: {missing}")
        self.bundles = bundles
        self.targets = targets

    @classmethod
    def load(cls, bundles: Path, targets: Path) -> "Repository":
        """Pack every bundle below a directory and read the targets from a file."""
        packed = [pack(path.parent) for path in sorted(bundles.glob(f"*/{manifest.FILE_NAME}"))]
        return cls(
            {bundle.manifest.name: bundle for bundle in packed},
            wire.decode(dict[str, tuple[str, ...]], wire.loads(targets.read_bytes()), targets.name),
        )

    def offers(self, target: str) -> tuple[Offer, ...] | None:
        """What a target is to run, in this order; None when there is no such target."""
        names = self.targets.get(target)
        return None if names is None else tuple(self.bundles[name].offer for name in names)

    def find(self, name: str, version: str) -> StoredBundle | None:
        """A bundle of just this name and version."""
        bundle = self.bundles.get(name)
        return bundle if bundle and bundle.manifest.version == version else None


def pack(directory: Path) -> StoredBundle:
    """Pack a bundle's directory, so that its module can be imported from the archive."""
    parsed = manifest.parse((directory / manifest.FILE_NAME).read_bytes())
    folders = parsed.module.split(".")
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        _add(archive, manifest.FILE_NAME, (directory / manifest.FILE_NAME).read_bytes())
        for depth in range(1, len(folders) + 1):
            # Without an entry of its own Python does not see a folder that has no __init__.py.
            _add(archive, "/".join(folders[:depth]) + "/", b"")
        for path in sorted(directory.rglob("*")):
            inside = path.relative_to(directory)
            if path.is_file() and "__pycache__" not in inside.parts and path.name != manifest.FILE_NAME:
                _add(archive, "/".join((*folders, *inside.parts)), path.read_bytes())
    archive_bytes = content.getvalue()
    digest = f"sha256:{hashlib.sha256(archive_bytes).hexdigest()}"
    return StoredBundle(parsed, digest, archive_bytes)


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, _TIME)
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, content)
