"""All bundles and targets: those of the image, with the changes that people have made."""

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable

from demonstrator.lib import codec
from demonstrator.lib.kubernetes import KubernetesError
from demonstrator.lib.notifier import Notifier
from demonstrator.platform.manifest import Offer
from demonstrator.provisioning.archive import ArchiveError, BundleArchive, check_archive
from demonstrator.provisioning.config_map_store import ConfigMapStore, StaleStateError
from demonstrator.provisioning.image import Image
from demonstrator.provisioning.state import MAX_ARCHIVES, Assignment, AuditEntry, BundleRef, ConflictError, State

_logger = logging.getLogger(__name__)


class NotFoundError(LookupError):
    """A target or a bundle that does not exist."""


class Repository:
    """Answers which bundles each target runs, and makes the changes that people ask for.

    A change is in the cluster before anybody is told of it: an agent never gets a bundle that a
    restarted server would not have.

    Attributes:
        loaded: whether the state has been read from the cluster.
        outdated: set while the cluster may have another state than this one.
    """

    def __init__(self, image: Image, store: ConfigMapStore) -> None:
        self.image = image
        self.state = State((), {}, ())
        self.loaded = False
        self.outdated = asyncio.Event()
        self._store = store
        self._archives: dict[BundleRef, BundleArchive] = {}
        self._changes = Notifier()
        self._lock = asyncio.Lock()

    async def load(self) -> None:
        """Read the state from the cluster; raises KubernetesError, and can then be tried again."""
        async with self._lock:
            await self._load()

    def bundles(self) -> tuple[BundleArchive, ...]:
        """Return every bundle in every version."""
        found = {bundle.digest: bundle for bundle in self._all()}
        return tuple(sorted(found.values(), key=_by_name_and_version))

    def find(self, name: str, version: str) -> BundleArchive:
        """Return a bundle by name and version, the image's own before an uploaded one."""
        for bundle in self._all():
            if (bundle.manifest.name, bundle.manifest.version) == (name, version):
                return bundle
        raise NotFoundError("no such bundle")

    def archive(self, digest: str) -> BundleArchive:
        """Return a bundle by its archive's digest."""
        for bundle in self._all():
            if bundle.digest == digest:
                return bundle
        raise NotFoundError("no such archive")

    def assignment(self, target: str) -> Assignment:
        """Return the bundles that a target is to run."""
        if target not in self.image.targets:
            raise NotFoundError("no such target")
        history = self.state.history(target)
        return history[-1] if history else self.image.assignment(target)

    def offers(self, target: str) -> tuple[Offer, ...]:
        """Return a target's bundles as an agent gets them; raises NotFoundError when an archive of it is lost."""
        return tuple(self.archive(ref.digest).offer for ref in self.assignment(target))

    def revision(self, target: str) -> str:
        """Return another text whenever the offers are others, and the same one after a restart of the server."""
        return hashlib.sha256(codec.encode(self.assignment(target))).hexdigest()[:16]

    async def wait_for_change(self, target: str, revision: str, seconds: float) -> bool:
        """Wait until a target has another revision; False when that takes too long."""
        return await self._changes.wait_for(lambda: self.revision(target) != revision, seconds)

    async def upload(self, content: bytes, actor: str) -> tuple[BundleArchive, bool]:
        """Keep an archive.

        Returns:
            The bundle, and True when it was not there before.

        Raises:
            ArchiveError: It is no bundle.
            ConflictError: There is another archive of that name and version, or there are too many.
        """
        bundle = await asyncio.to_thread(check_archive, content)
        new, present = bundle.ref, {other.digest for other in self._all()}

        def change(state: State) -> State:
            for other in (*(own.ref for own in self.image.bundles.values()), *state.bundles):
                if (other.name, other.version) == (new.name, new.version):
                    if other.digest == new.digest:
                        return state
                    raise ConflictError(
                        f"{new.name} {new.version} exists already: give the changed bundle another version"
                    )
            if len(state.bundles) >= MAX_ARCHIVES:
                raise ConflictError(f"there are {MAX_ARCHIVES} archives already: delete one that no target has")
            return state.add_bundles([new])

        await self._change(actor, f"uploaded {new.name} {new.version} ({new.digest})", change, (bundle,))
        return bundle, new.digest not in present

    async def assign(self, target: str, name: str, version: str, actor: str) -> None:
        """Give a target a bundle, in place of another version or as one more."""

        def change(state: State) -> State:
            present, new = self.assignment(target), self.find(name, version).ref
            if new in present:
                return state
            if any(ref.name == name for ref in present):
                return state.assign(target, tuple(new if ref.name == name else ref for ref in present))
            return state.assign(target, (*present, new))

        await self._change(actor, f"assigned {name} {version} to {target}", change)

    async def remove(self, target: str, name: str, actor: str) -> None:
        """Take a bundle from a target."""

        def change(state: State) -> State:
            present = self.assignment(target)
            if all(ref.name != name for ref in present):
                raise NotFoundError(f"{target} has no bundle of that name")
            return state.assign(target, tuple(ref for ref in present if ref.name != name))

        await self._change(actor, f"removed {name} from {target}", change)

    async def roll_back(self, target: str, actor: str) -> None:
        """Give a target its previous assignment; before the first one made by hand comes the image's."""
        self.assignment(target)
        await self._change(actor, f"rolled {target} back", lambda state: state.roll_back(target))

    async def delete(self, name: str, version: str, actor: str) -> None:
        """Delete an archive that is assigned to no target."""

        def change(state: State) -> State:
            for ref in state.bundles:
                if (ref.name, ref.version) == (name, version):
                    return state.delete(ref)
            raise NotFoundError("no such bundle was uploaded or assigned")

        await self._change(actor, f"deleted {name} {version}", change)

    def _all(self, *uploaded: BundleArchive) -> tuple[BundleArchive, ...]:
        return (*self.image.bundles.values(), *self._archives.values(), *uploaded)

    async def _load(self) -> None:
        state = await self._store.load()
        if state != self.state or not self.loaded:
            await self._apply_state(state)
        self.loaded = True
        self.outdated.clear()

    async def _change(
        self, actor: str, action: str, change: Callable[[State], State], uploaded: tuple[BundleArchive, ...] = ()
    ) -> None:
        """Make a change of the cluster's current state, which another server may have written."""
        async with self._lock:
            await self._load()
            while True:
                before = self.state
                changed = change(before)
                await self._save_archives(changed, uploaded)
                if changed == before:
                    if uploaded:  # it may have been lost
                        await self._apply_state(before, uploaded)
                    return
                entry = AuditEntry(time.time(), actor, action)
                self.outdated.set()
                try:
                    await self._store.save(changed.log(entry))
                except (StaleStateError, KubernetesError) as error:
                    # The change may have been made all the same: the log in the cluster tells.
                    await self._load()
                    if entry in self.state.audit:
                        break
                    if isinstance(error, KubernetesError):
                        raise
                else:
                    await self._apply_state(changed.log(entry), uploaded)
                    self.outdated.clear()
                    break
            _logger.info("%s %s", actor, action)
            for digest in {ref.digest for ref in before.bundles} - {ref.digest for ref in self.state.bundles}:
                # Under the lock: an upload of the same archive comes before or after this.
                try:
                    await self._store.delete_archive(digest)
                except KubernetesError as error:
                    _logger.warning("the archive %s stays in the cluster, unused: %s", digest, error)

    async def _save_archives(self, state: State, uploaded: tuple[BundleArchive, ...]) -> None:
        present = {bundle.digest: bundle for bundle in self._all(*uploaded)}
        for ref in state.bundles:
            # The image's own too: the next image may carry another version in their place.
            if ref not in self._archives and ref.digest in present:
                await self._store.save_archive(present[ref.digest])

    async def _apply_state(self, state: State, uploaded: tuple[BundleArchive, ...] = ()) -> None:
        """Go on from this state, with every archive that it names."""
        present = {bundle.digest: bundle for bundle in self._all(*uploaded)}
        archives = {}
        for ref in state.bundles:
            try:
                archives[ref] = present.get(ref.digest) or await self._store.load_archive(ref)
            except ArchiveError as error:
                _logger.warning("%s %s is lost: %s", ref.name, ref.version, error)
        self.state, self._archives = state, archives
        self._changes.notify_all()


def _by_name_and_version(bundle: BundleArchive) -> tuple[str, tuple[int, ...]]:
    return bundle.manifest.name, tuple(int(part) for part in bundle.manifest.version.split("."))
