"""All bundles and targets: what the image carries, with what people have changed on top of it."""

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable

from demonstrator.lib import codec
from demonstrator.lib.notifier import Notifier
from demonstrator.platform.manifest import Offer
from demonstrator.platform.spi import KubernetesError
from demonstrator.provisioning import state as states
from demonstrator.provisioning import stored
from demonstrator.provisioning.image import Image, pin
from demonstrator.provisioning.keeper import ConflictError, Keeper
from demonstrator.provisioning.state import Assignment, Entry, Pin, RefusedError, State
from demonstrator.provisioning.stored import ArchiveError, StoredBundle

# Together they stay well below the pod's memory.
_KEPT = 40

_logger = logging.getLogger(__name__)


class AbsentError(LookupError):
    """A target or a bundle that does not exist."""


class Repository:
    """Answers what each target is to run, and makes the changes that people ask for.

    A change is in the cluster before it is told to anybody: an agent never gets what a restarted server
    would not know.
    """

    def __init__(self, image: Image, keeper: Keeper) -> None:
        self.image = image
        self.state = State()
        self.loaded = False
        self._keeper = keeper
        self._kept: dict[Pin, StoredBundle] = {}
        self._changes = Notifier()
        self._lock = asyncio.Lock()

    async def load(self) -> None:
        """Read what is kept; raises KubernetesError or DecodeError, and can then be tried again."""
        async with self._lock:
            await self._adopt(await self._keeper.load(), {})
            self.loaded = True

    def bundles(self) -> tuple[StoredBundle, ...]:
        """Every bundle in every version that there is."""
        found = {bundle.digest: bundle for bundle in (*self.image.bundles.values(), *self._kept.values())}
        return tuple(sorted(found.values(), key=lambda bundle: (bundle.manifest.name, _order(bundle))))

    def find(self, name: str, version: str) -> StoredBundle:
        """A bundle by name and version: the image's own before one that is kept."""
        for bundle in (*self.image.bundles.values(), *self._kept.values()):
            if (bundle.manifest.name, bundle.manifest.version) == (name, version):
                return bundle
        raise AbsentError("no such bundle")

    def archive(self, digest: str) -> StoredBundle:
        """A bundle by its archive's digest."""
        for bundle in self.bundles():
            if bundle.digest == digest:
                return bundle
        raise AbsentError("no such archive")

    def assignment(self, target: str) -> Assignment:
        """What a target is to run."""
        return self._assignment(self.state, target)

    def offers(self, target: str) -> tuple[Offer, ...]:
        """What a target is to run, as an agent is told; AbsentError when an archive of it is lost."""
        return tuple(self.archive(pin.digest).offer for pin in self.assignment(target))

    def revision(self, target: str) -> str:
        """Another one whenever the offer is another one, and the same after a restart of the server."""
        return hashlib.sha256(codec.encode(self.assignment(target))).hexdigest()[:16]

    async def news(self, target: str, known: str, seconds: float) -> bool:
        """Wait until a target's revision is not `known`; False when that takes too long."""
        return await self._changes.until(lambda: self.revision(target) != known, seconds)

    async def upload(self, content: bytes, who: str) -> tuple[StoredBundle, bool]:
        """Keep an archive, and whether it is a new one; raises ArchiveError."""
        bundle = await asyncio.to_thread(stored.check, content)
        new = pin(bundle)
        present = any(other.digest == new.digest for other in self.bundles())

        def change(state: State) -> State:
            for other in (*map(pin, self.image.bundles.values()), *state.bundles):
                if (other.name, other.version) == (new.name, new.version):
                    if other.digest == new.digest:
                        return state
                    raise RefusedError(
                        f"{new.name} {new.version} exists already: what has changed needs another version"
                    )
            if len(state.bundles) >= _KEPT:
                raise RefusedError(f"{_KEPT} archives are kept already: delete one that is assigned to no target")
            return states.kept(state, [new])

        await self._change(who, f"uploaded {new.name} {new.version} ({new.digest})", change, bundle)
        return bundle, not present

    async def assign(self, target: str, name: str, version: str, who: str) -> None:
        """Give a target a bundle, in place of another version or as one more."""
        new = pin(self.find(name, version))

        def change(state: State) -> State:
            present = self._assignment(state, target)
            if new in present:
                return state
            if any(had.name == name for had in present):
                return states.assigned(state, target, tuple(new if had.name == name else had for had in present))
            return states.assigned(state, target, (*present, new))

        await self._change(who, f"assigned {name} {version} to {target}", change)

    async def remove(self, target: str, name: str, who: str) -> None:
        """Take a bundle from a target."""

        def change(state: State) -> State:
            present = self._assignment(state, target)
            if all(had.name != name for had in present):
                raise AbsentError(f"{target} has no bundle of that name")
            return states.assigned(state, target, tuple(had for had in present if had.name != name))

        await self._change(who, f"removed {name} from {target}", change)

    async def roll_back(self, target: str, who: str) -> None:
        """Give a target its previous assignment again, in the end the image's."""
        self.assignment(target)
        await self._change(who, f"rolled {target} back", lambda state: states.rolled_back(state, target))

    async def delete(self, name: str, version: str, who: str) -> None:
        """Let an archive go that is assigned to no target."""
        for old in self._kept:
            if (old.name, old.version) == (name, version):
                break
        else:
            raise AbsentError("no such bundle is kept")
        await self._change(who, f"deleted {name} {version}", lambda state: states.deleted(state, old))
        await self._keeper.delete_bundle(old.digest)

    def _assignment(self, state: State, target: str) -> Assignment:
        if target not in self.image.targets:
            raise AbsentError("no such target")
        by_hand = states.history(state, target)
        return by_hand[-1] if by_hand else self.image.assignment(target)

    async def _change(
        self, who: str, what: str, change: Callable[[State], State], uploaded: StoredBundle | None = None
    ) -> None:
        present = {bundle.digest: bundle for bundle in (*self.bundles(), *([uploaded] if uploaded else []))}
        async with self._lock:
            while (changed := change(self.state)) != self.state:
                changed = states.logged(changed, Entry(time.time(), who, what))
                for wanted in changed.bundles:
                    # The image's own too: the next image may carry another version in its place.
                    if wanted not in self._kept and wanted.digest in present:
                        await self._keeper.save_bundle(present[wanted.digest])
                try:
                    await self._keeper.save(changed)
                except ConflictError:
                    await self._adopt(await self._keeper.load(), present)
                else:
                    await self._adopt(changed, present)
                    _logger.info("%s %s", who, what)
                    return

    async def _adopt(self, state: State, present: dict[str, StoredBundle]) -> None:
        """Go on from this state, with every archive that it names."""
        kept = {}
        for wanted in state.bundles:
            try:
                kept[wanted] = present.get(wanted.digest) or await self._keeper.load_bundle(wanted)
            except ArchiveError as error:
                _logger.warning("%s %s is lost: %s", wanted.name, wanted.version, error)
            except KubernetesError as error:
                if error.status != 404:
                    raise
                _logger.warning("%s %s is lost: its ConfigMap is gone", wanted.name, wanted.version)
        self.state, self._kept = state, kept
        self._changes.tell()


def _order(bundle: StoredBundle) -> tuple[int, ...]:
    return tuple(int(part) for part in bundle.manifest.version.split("."))
