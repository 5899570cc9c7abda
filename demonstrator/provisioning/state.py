"""What people have changed: bundles they uploaded, assignments they made, and the log of both.

Values and functions from value to value; keeper.py keeps them in the cluster.
"""

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

# How much is remembered: all of it is one ConfigMap.
_ASSIGNMENTS = 20
_ENTRIES = 200


class Pin(Struct, frozen=True, forbid_unknown_fields=True):
    """Just this archive of a bundle."""

    name: str
    version: str
    digest: str


class Entry(Struct, frozen=True, forbid_unknown_fields=True):
    """A change: when, from what address, and what."""

    at: float
    who: str
    what: str


Assignment = tuple[Pin, ...]


class State(Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that outlives the server.

    Attributes:
        bundles: the archives kept in the cluster: uploaded ones, and the image's own that somebody has assigned.
        targets: the assignments made by hand, newest last; without one a target has what the image says.
        audit: who changed what, newest first.
    """

    bundles: tuple[Pin, ...] = ()
    targets: dict[str, tuple[Assignment, ...]] = {}
    audit: tuple[Entry, ...] = ()


class RefusedError(Exception):
    """A change that cannot be made now, with the reason."""


def history(state: State, target: str) -> tuple[Assignment, ...]:
    """The assignments made by hand to a target, newest last."""
    return state.targets.get(target, ())


def kept(state: State, pins: Iterable[Pin]) -> State:
    """With these archives among those that are kept."""
    return replace(state, bundles=(*state.bundles, *(pin for pin in pins if pin not in state.bundles)))


def assigned(state: State, target: str, assignment: Assignment) -> State:
    """With another assignment on top of a target's earlier ones."""
    return _with_history(kept(state, assignment), target, (*history(state, target), assignment)[-_ASSIGNMENTS:])


def rolled_back(state: State, target: str) -> State:
    """Without a target's last assignment."""
    if not history(state, target):
        raise RefusedError(f"{target} has what the image says: there is nothing to roll back")
    return _with_history(state, target, history(state, target)[:-1])


def deleted(state: State, pin: Pin) -> State:
    """Without an archive, and without the earlier assignments that it was part of."""
    targets = {}
    for target, assignments in state.targets.items():
        if pin in assignments[-1]:
            raise RefusedError(f"{pin.name} {pin.version} is assigned to {target}")
        targets[target] = tuple(assignment for assignment in assignments if pin not in assignment)
    return replace(state, bundles=tuple(kept for kept in state.bundles if kept != pin), targets=targets)


def logged(state: State, entry: Entry) -> State:
    """With one more line in the log."""
    return replace(state, audit=(entry, *state.audit)[:_ENTRIES])


def _with_history(state: State, target: str, assignments: tuple[Assignment, ...]) -> State:
    others = {name: kept for name, kept in state.targets.items() if name != target}
    return replace(state, targets=others | ({target: assignments} if assignments else {}))
