"""Changes that people have made, and their ConfigMaps: one for targets and log, and one for each archive.

An archive's ConfigMap never changes, so a write of the first one is the only moment at which anything changes.
"""

import base64
import binascii
from typing import Any

from msgspec import Struct

from demonstrator.lib import codec
from demonstrator.lib.kubernetes import Kubernetes, KubernetesError
from demonstrator.provisioning.archive import ArchiveError, BundleArchive, BundleRef, check_archive

_STATE = "provisioning-state"
_STATE_KEY = "state.json"
_ARCHIVE_KEY = "bundle.zip"


Assignment = tuple[BundleRef, ...]


class AuditEntry(Struct, frozen=True, forbid_unknown_fields=True, rename={"actor": "who", "action": "what"}):
    """A change: when (seconds since the epoch), from what address, and what was done."""

    at: float
    actor: str
    action: str


class State(Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that outlives the server, as an immutable value."""

    bundles: tuple[BundleRef, ...]  # kept in the cluster: uploaded ones, and the image's own that somebody has assigned
    targets: dict[str, tuple[Assignment, ...]]  # made by hand, newest last; without one a target has the image's
    audit: tuple[AuditEntry, ...]  # newest first


class ConfigMapStore:
    """Reads and writes the ConfigMaps; raises KubernetesError when the API refuses or does not answer."""

    def __init__(self, kubernetes: Kubernetes, namespace: str) -> None:
        self._kubernetes = kubernetes
        self._path = f"/api/v1/namespaces/{namespace}/configmaps"
        self._version = ""  # of the state that was loaded or saved last; "" while there is none

    async def load(self) -> State:
        """Return the current state; an empty one where none was saved yet."""
        item = await self._read(_STATE)
        if item is None:
            self._version = ""
            return State((), {}, ())
        try:
            self._version = str(item["metadata"]["resourceVersion"])
            return codec.decode(State, item["data"][_STATE_KEY], _STATE_KEY)
        except (KeyError, codec.DecodeError) as error:
            raise KubernetesError(f"ConfigMap {_STATE} cannot be read: {error}") from error

    async def save(self, state: State) -> None:
        """Replace the state that was loaded or saved last; status 404 or 409 when the cluster has another one.

        That may be this very one: the HTTP client repeats a request whose connection was closed.
        """
        content = {_STATE_KEY: codec.encode(state).decode()}
        item = _config_map({"name": _STATE, "resourceVersion": self._version}, data=content)
        if self._version:
            saved = await self._kubernetes.replace(f"{self._path}/{_STATE}", item)
        else:
            saved = await self._kubernetes.create(self._path, item)
        self._version = str(saved["metadata"]["resourceVersion"])

    async def load_archive(self, digest: str) -> BundleArchive:
        """Return an archive; raises ArchiveError when it is gone or is another one."""
        name = _name(digest)
        item = await self._read(name)
        if item is None:
            raise ArchiveError(f"ConfigMap {name} is gone")
        try:
            archive = check_archive(base64.b64decode(item["binaryData"][_ARCHIVE_KEY], validate=True))
        except (KeyError, binascii.Error) as error:
            raise ArchiveError(f"ConfigMap {name} holds no archive: {error}") from error
        if archive.ref.digest != digest:
            raise ArchiveError(f"ConfigMap {name} holds another archive: {archive.ref.digest}")
        return archive

    async def save_archive(self, archive: BundleArchive) -> None:
        """Save an archive unless it is there already, in place of a damaged one."""
        ref = archive.ref
        labels = {"inaetics.org/bundle": ref.name, "inaetics.org/version": ref.version}
        content = {_ARCHIVE_KEY: base64.b64encode(archive.content).decode()}
        item = _config_map({"name": _name(ref.digest), "labels": labels}, binaryData=content, immutable=True)
        try:
            await self._kubernetes.create(self._path, item)
        except KubernetesError as error:
            if error.status != 409:
                raise
            try:
                await self.load_archive(ref.digest)
            except ArchiveError:
                await self.delete_archive(ref.digest)
                await self._kubernetes.create(self._path, item)

    async def delete_archive(self, digest: str) -> None:
        """Delete an archive, if it is there."""
        try:
            await self._kubernetes.delete(f"{self._path}/{_name(digest)}")
        except KubernetesError as error:
            if error.status != 404:
                raise

    async def _read(self, name: str) -> dict[str, Any] | None:
        """Return a ConfigMap, or None where there is none of that name."""
        try:
            return await self._kubernetes.read(f"{self._path}/{name}")
        except KubernetesError as error:
            if error.status != 404:
                raise
            return None


def _config_map(metadata: dict[str, Any], **content: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **content}


def _name(digest: str) -> str:
    return f"bundle-{digest.removeprefix('sha256:')}"
