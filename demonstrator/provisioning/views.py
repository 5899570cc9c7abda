"""What people are told, and tell: the members of the REST interface's JSON."""

from dataclasses import dataclass

from msgspec import Struct

from demonstrator.platform.manifest import Report
from demonstrator.provisioning import state
from demonstrator.provisioning.repository import Repository
from demonstrator.provisioning.state import Assignment
from demonstrator.provisioning.stored import StoredBundle


@dataclass(frozen=True, slots=True)
class Heard:
    """An agent's last report and when it came."""

    report: Report
    at: float


@dataclass(frozen=True, slots=True)
class Target:
    """A target as people are told of it.

    Attributes:
        revision: another one whenever its bundles are others.
        by_hand: how many assignments were made by hand, and so can be rolled back.
        bundles: what it is to run.
    """

    revision: str
    by_hand: int
    bundles: Assignment


@dataclass(frozen=True, slots=True)
class Listed:
    """A bundle as people are told of it."""

    name: str
    version: str
    digest: str
    description: str
    size: int
    files: tuple[str, ...]
    from_image: bool
    targets: tuple[str, ...]


class Wish(Struct, frozen=True, forbid_unknown_fields=True):
    """What to assign."""

    version: str


def target(repository: Repository, name: str) -> Target:
    """A target as it is now."""
    assignment, by_hand = repository.assignment(name), state.history(repository.state, name)
    return Target(repository.revision(name), len(by_hand), assignment)


def listed(repository: Repository, bundle: StoredBundle) -> Listed:
    """A bundle, with the targets that are to run it."""
    manifest = bundle.manifest
    return Listed(
        manifest.name,
        manifest.version,
        bundle.digest,
        manifest.description,
        len(bundle.archive),
        bundle.files,
        from_image=bundle in repository.image.bundles.values(),
        targets=tuple(
            name
            for name in repository.image.targets
            if any(pin.digest == bundle.digest for pin in repository.assignment(name))
        ),
    )
