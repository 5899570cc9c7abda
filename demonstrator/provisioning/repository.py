"""All bundles and targets: those of the image, with the changes that people have made."""

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable

from msgspec.structs import replace

from demonstrator.lib import codec
from demonstrator.lib.kubernetes import KubernetesError
from demonstrator.lib.notifier import Notifier
from demonstrator.platform.manifest import Offer
from demonstrator.provisioning.archive import ArchiveError, BundleArchive, BundleRef, check_archive
from demonstrator.provisioning.config_map_store import Assignment, AuditEntry, ConfigMapStore, State
from demonstrator.provisioning.image import Image

_MAX_ARCHIVES = 40  # together they stay well below the pod's memory
# All of the state is one ConfigMap.
_MAX_ASSIGNMENTS = 20
_MAX_ENTRIES = 200

_logger = logging.getLogger(__name__)


class NotFoundError(LookupError):
    """A target or a bundle that does not exist."""


class ConflictError(Exception):
    """A change that the current state does not allow, with the reason."""


class Repository:
    """Answers which bundles each target runs, and makes the changes that people ask for.

    A change is in the cluster before anybody is told of it: an agent never gets a bundle that a restarted server
    would not have. `assign`, `remove`, `roll_back` and `delete` return the state to be, and `change` makes it so.
    """

    def __init__(self, image: Image, store: ConfigMapStore) -> None:
        self.image = image
        self.state = State((), {}, ())
        self.loaded = False  # True when the state has been read from the cluster
        self.outdated = asyncio.Event()  # set while the cluster may have another state than this one
        self._store = store
        self._own = {bundle.ref.digest: bundle for bundle in image.bundles.values()}
        self._archives = self._own  # and those of the state, by digest
        self._changes = Notifier()
        self._lock = asyncio.Lock()

    async def load(self) -> None:
        """Read the state from the cluster; raises KubernetesError, and can then be tried again."""
        async with self._lock:
            await self._load()

    def bundles(self) -> list[BundleArchive]:
        """Return every bundle in every version, in order of both."""
        return sorted(
            self._archives.values(),
            key=lambda bundle: (bundle.ref.name, [int(part) for part in bundle.ref.version.split(".")]),
        )

    def find(self, name: str, version: str) -> BundleArchive:
        """Return a bundle by name and version, the image's own before an uploaded one."""
        for bundle in self._archives.values():
            if (bundle.ref.name, bundle.ref.version) == (name, version):
                return bundle
        raise NotFoundError("no such bundle")

    def archive(self, digest: str) -> BundleArchive:
        """Return a bundle by its archive's digest."""
        if digest not in self._archives:
            raise NotFoundError("no such archive")
        return self._archives[digest]

    def assignment(self, target: str) -> Assignment:
        """Return the bundles that a target is to run."""
        if target not in self.image.targets:
            raise NotFoundError("no such target")
        return self.state.targets.get(target, (self.image.targets[target],))[-1]

    def offers(self, target: str) -> list[Offer]:
        """Return a target's bundles as an agent gets them; raises NotFoundError when an archive of it is lost."""
        # By digest, so that no other archive can ever be meant.
        refs = [self.archive(ref.digest).ref for ref in self.assignment(target)]
        return [Offer(ref.name, ref.version, ref.digest, f"/archives/{ref.digest[len('sha256:') :]}") for ref in refs]

    def revision(self, target: str) -> str:
        """Return another text whenever the offers are others, and the same one after a restart of the server."""
        return hashlib.sha256(codec.encode(self.assignment(target))).hexdigest()[:16]

    async def wait_for_change(self, target: str, revision: str, seconds: float) -> bool:
        """Wait until a target has another revision; False when that takes too long."""
        return await self._changes.wait_for(lambda: self.revision(target) != revision, seconds)

    async def upload(self, content: bytes, actor: str) -> tuple[BundleArchive, bool]:
        """Keep an archive, unless it is no bundle or its name and version are another archive's.

        Return it as a bundle, and True when it was not there before.
        """
        bundle = await asyncio.to_thread(check_archive, content)
        ref, is_new = bundle.ref, bundle.ref.digest not in self._archives
        action = f"uploaded {ref.name} {ref.version} ({ref.digest})"
        await self.change(actor, action, lambda: self._add(ref), bundle)
        return bundle, is_new

    def assign(self, target: str, name: str, version: str) -> State:
        """Return the state in which a target has a bundle, in place of another version or as one more."""
        present, new = self.assignment(target), self.find(name, version).ref
        wanted = tuple(({ref.name: ref for ref in present} | {name: new}).values())
        return self.state if wanted == present else self._assign(target, wanted)

    def remove(self, target: str, name: str) -> State:
        """Return the state in which a target has no bundle of this name."""
        present = self.assignment(target)
        kept = tuple(ref for ref in present if ref.name != name)
        if kept == present:
            raise NotFoundError(f"{target} has no bundle of that name")
        return self._assign(target, kept)

    def roll_back(self, target: str) -> State:
        """Return the state in which a target has its previous assignment, and in the end the image's."""
        self.assignment(target)
        if target not in self.state.targets:
            raise ConflictError(f"{target} has the image's bundles: there is nothing to roll back")
        targets = self.state.targets | {target: self.state.targets[target][:-1]}
        return replace(self.state, targets={name: history for name, history in targets.items() if history})

    def delete(self, name: str, version: str) -> State:
        """Return the state without an archive that no target runs, and without the earlier assignments of it."""
        ref = next((ref for ref in self.state.bundles if (ref.name, ref.version) == (name, version)), None)
        if ref is None:
            raise NotFoundError("no such bundle was uploaded or assigned")
        targets = {}
        for target, history in self.state.targets.items():
            if ref in history[-1]:
                raise ConflictError(f"{name} {version} is assigned to {target}")
            targets[target] = tuple(assignment for assignment in history if ref not in assignment)
        kept = tuple(other for other in self.state.bundles if other != ref)
        return replace(self.state, bundles=kept, targets=targets)

    def _add(self, new: BundleRef) -> State:
        present = {*self.state.bundles, *(bundle.ref for bundle in self._archives.values())}
        if new in present:
            return self.state
        if any((ref.name, ref.version) == (new.name, new.version) for ref in present):
            raise ConflictError(f"{new.name} {new.version} exists already: give the changed bundle another version")
        if len(self.state.bundles) >= _MAX_ARCHIVES:
            raise ConflictError(f"there are {_MAX_ARCHIVES} archives already: delete one that no target has")
        return replace(self.state, bundles=(*self.state.bundles, new))

    def _assign(self, target: str, assignment: Assignment) -> State:
        history = (*self.state.targets.get(target, ()), assignment)[-_MAX_ASSIGNMENTS:]
        bundles = tuple(dict.fromkeys((*self.state.bundles, *assignment)))
        return replace(self.state, bundles=bundles, targets=self.state.targets | {target: history})

    async def change(self, actor: str, action: str, plan: Callable[[], State], *uploaded: BundleArchive) -> None:
        """Make a change of the cluster's current state, which another server may have written.

        `plan` returns the state to be, and is called again whenever the present one turns out to be outdated.
        """
        async with self._lock:
            await self._load()
            is_saved = False
            while not is_saved:
                before, changed = self.state, plan()
                known = self._archives | {bundle.ref.digest: bundle for bundle in uploaded}
                for ref in changed.bundles:
                    # The image's own too: the next image may carry another version in their place.
                    is_kept = ref in before.bundles and ref.digest in self._archives
                    if not is_kept and ref.digest in known:
                        await self._store.save_archive(known[ref.digest])
                if changed == before:
                    if uploaded:  # it may have been lost
                        await self._apply(before, known)
                    return
                entry = AuditEntry(time.time(), actor, action)
                is_saved = await self._save(replace(changed, audit=(entry, *changed.audit)[:_MAX_ENTRIES]), known)
            _logger.info("%s %s", actor, action)
            for digest in {ref.digest for ref in before.bundles} - {ref.digest for ref in self.state.bundles}:
                # Under the lock: an upload of the same archive comes before or after this.
                try:
                    await self._store.delete_archive(digest)
                except KubernetesError as error:
                    _logger.warning("the archive %s stays in the cluster, unused: %s", digest, error)

    async def _save(self, state: State, known: dict[str, BundleArchive]) -> bool:
        """Write a state with one more entry in its log, and go on from it; False when the cluster has another one."""
        self.outdated.set()
        try:
            await self._store.save(state)
        except KubernetesError as error:
            # The change may have been made all the same: the log in the cluster tells.
            await self._load()
            is_saved = state.audit[0] in self.state.audit
            if not is_saved and error.status not in (404, 409):
                raise
            return is_saved
        await self._apply(state, known)
        self.outdated.clear()
        return True

    async def _load(self) -> None:
        state = await self._store.load()
        if state != self.state or not self.loaded:
            await self._apply(state, self._archives)
        self.loaded = True
        self.outdated.clear()

    async def _apply(self, state: State, known: dict[str, BundleArchive]) -> None:
        """Go on from this state, with every archive that it names."""
        archives = self._own.copy()
        for ref in state.bundles:
            try:
                archives[ref.digest] = known.get(ref.digest) or await self._store.load_archive(ref.digest)
            except ArchiveError as error:
                _logger.warning("%s %s is lost: %s", ref.name, ref.version, error)
        self.state, self._archives = state, archives
        self._changes.notify_all()
