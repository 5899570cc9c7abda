"""The content of the image: bundles, features (bundles that belong together), and targets."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from demonstrator.lib import codec
from demonstrator.platform import manifest
from demonstrator.provisioning.archive import BundleArchive, check_archive
from demonstrator.provisioning.pack import pack

_HERE = Path(__file__).resolve().parent

_Parts = Mapping[str, Sequence[str]]


class Image:
    """Bundles by name, each in one version, and the targets that get them unless somebody changes that."""

    def __init__(self, bundles: Iterable[BundleArchive], features: _Parts, targets: _Parts) -> None:
        self.bundles = {bundle.ref.name: bundle for bundle in bundles}
        _check("feature", features, self.bundles)
        _check("target", targets, features)
        self.features = features
        self.targets = {
            target: tuple(self.bundles[name].ref for feature in parts for name in features[feature])
            for target, parts in targets.items()
        }


def load_image() -> Image:
    """Pack every bundle of the project and read features and targets from the file beside this module."""
    folders = (path.parent for path in sorted((_HERE.parent / "bundles").glob(f"*/{manifest.FILE_NAME}")))
    plan = codec.decode(dict[str, dict[str, tuple[str, ...]]], (_HERE / "targets.json").read_bytes(), "targets.json")
    return Image([check_archive(pack(folder)[1]) for folder in folders], **plan)


def _check(kind: str, required: _Parts, present: Mapping[str, object]) -> None:
    for name, parts in required.items():
        if missing := set(parts) - present.keys():
            raise LookupError(f"{kind} {name} requires what does not exist: {missing}")
