"""What the image carries: bundles, features, which are bundles that belong together, and targets."""

from pathlib import Path

from msgspec import Struct

from demonstrator.lib import codec
from demonstrator.platform import manifest
from demonstrator.provisioning import stored
from demonstrator.provisioning.pack import pack
from demonstrator.provisioning.state import Assignment, Pin
from demonstrator.provisioning.stored import StoredBundle


class Plan(Struct, frozen=True, forbid_unknown_fields=True):
    """Bundles of each feature, and features of each target, by name."""

    features: dict[str, tuple[str, ...]]
    targets: dict[str, tuple[str, ...]]


class Image:
    """Bundles by name, each in one version, and what is planned for them."""

    def __init__(self, bundles: dict[str, StoredBundle], plan: Plan) -> None:
        for kind, wanted, present in (
            ("feature", plan.features, bundles.keys()),
            ("target", plan.targets, plan.features.keys()),
        ):
            for name, parts in wanted.items():
                if missing := set(parts) - present:
                    raise LookupError(f"{kind} {name} wants what is not there: {missing}")
        self.bundles = bundles
        self.features = plan.features
        self.targets = {
            target: tuple(name for feature in features for name in plan.features[feature])
            for target, features in plan.targets.items()
        }

    @classmethod
    def load(cls, bundles: Path, plan: Path) -> "Image":
        """Pack every bundle below a directory and read the plan from a file."""
        packed = [stored.store(*pack(path.parent)) for path in sorted(bundles.glob(f"*/{manifest.FILE_NAME}"))]
        return cls(
            {bundle.manifest.name: bundle for bundle in packed},
            codec.decode(Plan, plan.read_bytes(), plan.name),
        )

    def assignment(self, target: str) -> Assignment:
        """What a target has that nobody has changed."""
        return tuple(pin(self.bundles[name]) for name in self.targets[target])


def pin(bundle: StoredBundle) -> Pin:
    """A bundle as the state names it."""
    return Pin(bundle.manifest.name, bundle.manifest.version, bundle.digest)
