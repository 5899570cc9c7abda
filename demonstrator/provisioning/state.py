"""Changes that people have made: uploaded bundles, assignments to targets, and the log of both.

Immutable values; config_map_store.py keeps them in the cluster.
"""

from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

MAX_ARCHIVES = 40  # together they stay well below the pod's memory
# All of the state is one ConfigMap.
_MAX_ASSIGNMENTS = 20
_MAX_ENTRIES = 200


class ConflictError(Exception):
    """A change that the current state does not allow, with the reason."""


class BundleRef(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The name of one archive of a bundle."""

    name: str
    version: str
    digest: str


class AuditEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"actor": "who", "action": "what"}):
    """A change: when (seconds since the epoch), from what address, and what was done."""

    at: float
    actor: str
    action: str


Assignment = tuple[BundleRef, ...]


class State(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that outlives the server.

    Attributes:
        bundles: the archives kept in the cluster: uploaded ones, and the image's own that somebody has assigned.
        targets: the assignments made by hand, newest last; without one a target has the image's bundles.
        audit: the log of changes, newest first.
    """

    bundles: tuple[BundleRef, ...]
    targets: dict[str, tuple[Assignment, ...]]
    audit: tuple[AuditEntry, ...]

    def history(self, target: str) -> tuple[Assignment, ...]:
        """Return the assignments made by hand to a target, newest last."""
        return self.targets.get(target, ())

    def add_bundles(self, refs: Iterable[BundleRef]) -> "State":
        """Return the state with these archives among those that are kept."""
        return replace(self, bundles=(*self.bundles, *(ref for ref in refs if ref not in self.bundles)))

    def assign(self, target: str, assignment: Assignment) -> "State":
        """Return the state with another assignment on top of a target's earlier ones."""
        history = (*self.history(target), assignment)[-_MAX_ASSIGNMENTS:]
        return replace(self.add_bundles(assignment), targets=self.targets | {target: history})

    def roll_back(self, target: str) -> "State":
        """Return the state without a target's last assignment; raises ConflictError when it has none."""
        if not self.history(target):
            raise ConflictError(f"{target} has the image's bundles: there is nothing to roll back")
        others = {name: history for name, history in self.targets.items() if name != target}
        earlier = self.history(target)[:-1]
        return replace(self, targets=others | ({target: earlier} if earlier else {}))

    def delete(self, ref: BundleRef) -> "State":
        """Return the state without an archive and without the earlier assignments that contain it.

        Raises:
            ConflictError: A target runs it.
        """
        for target, history in self.targets.items():
            if ref in history[-1]:
                raise ConflictError(f"{ref.name} {ref.version} is assigned to {target}")
        return replace(
            self,
            bundles=tuple(other for other in self.bundles if other != ref),
            targets={
                target: tuple(assignment for assignment in history if ref not in assignment)
                for target, history in self.targets.items()
            },
        )

    def log(self, entry: AuditEntry) -> "State":
        """Return the state with one more entry in the log."""
        return replace(self, audit=(entry, *self.audit)[:_MAX_ENTRIES])
