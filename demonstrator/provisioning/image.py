"""The content of the image: bundles, features (bundles that belong together), and targets."""

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from demonstrator.lib import codec
from demonstrator.platform import manifest
from demonstrator.provisioning.archive import BundleArchive
from demonstrator.provisioning.pack import pack
from demonstrator.provisioning.state import Assignment


class TargetPlan(Struct, frozen=True, forbid_unknown_fields=True):
    """Bundles of each feature, and features of each target, by name."""

    features: dict[str, tuple[str, ...]]
    targets: dict[str, tuple[str, ...]]


class Image:
    """Bundles by name, each in one version, and the targets that get them unless somebody changes that."""

    def __init__(self, bundles: Mapping[str, BundleArchive], plan: TargetPlan) -> None:
        for kind, required, present in (
            ("feature", plan.features, bundles.keys()),
            ("target", plan.targets, plan.features.keys()),
        ):
            for name, parts in required.items():
                if missing := set(parts) - present:
                    raise LookupError(f"{kind} {name} requires what does not exist: {missing}")
        self.bundles = bundles
        self.features = plan.features
        self.targets = {
            target: tuple(name for feature in features for name in plan.features[feature])
            for target, features in plan.targets.items()
        }

    @classmethod
    def load(cls, bundles: Path, plan: Path) -> "Image":
        """Pack every bundle below a directory and read the plan from a file."""
        packed = [BundleArchive.of(*pack(path.parent)) for path in sorted(bundles.glob(f"*/{manifest.FILE_NAME}"))]
        return cls(
            {bundle.manifest.name: bundle for bundle in packed},
            codec.decode(TargetPlan, plan.read_bytes(), plan.name),
        )

    def assignment(self, target: str) -> Assignment:
        """Return the bundles of a target that nobody has changed."""
        return tuple(self.bundles[name].ref for name in self.targets[target])
