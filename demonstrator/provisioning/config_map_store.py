"""Keeps the state in the cluster: ConfigMaps in a namespace of the server's own.

One ConfigMap for targets and log, and one for each archive, named after its digest. An archive's
content never changes, so a write of the first ConfigMap is the only moment at which anything changes.
"""

import base64
import binascii
from typing import Any

from demonstrator.lib import codec
from demonstrator.lib.kubernetes import Kubernetes, KubernetesError
from demonstrator.provisioning.archive import ArchiveError, BundleArchive, check_archive
from demonstrator.provisioning.state import BundleRef, State

_STATE = "provisioning-state"
_STATE_KEY = "state.json"
_ARCHIVE_KEY = "bundle.zip"


class StaleStateError(Exception):
    """The state in the cluster is another one than the state that was loaded or saved last."""


class ConfigMapStore:
    """Reads and writes the ConfigMaps; raises KubernetesError when the API refuses or does not answer."""

    def __init__(self, kubernetes: Kubernetes, namespace: str) -> None:
        self._kubernetes = kubernetes
        self._path = f"/api/v1/namespaces/{namespace}/configmaps"
        self._version = ""

    async def load(self) -> State:
        """Return the current state; an empty one where none was saved yet."""
        try:
            item = await self._kubernetes.read(f"{self._path}/{_STATE}")
            state = codec.decode(State, item["data"][_STATE_KEY], _STATE_KEY)
            self._version = str(item["metadata"]["resourceVersion"])
        except KubernetesError as error:
            if error.status != 404:
                raise
            self._version = ""
            return State((), {}, ())
        except (KeyError, codec.DecodeError) as error:
            raise KubernetesError(f"ConfigMap {_STATE} cannot be read: {error}") from error
        return state

    async def save(self, state: State) -> None:
        """Replace the state that was loaded or saved last.

        Raises:
            StaleStateError: The cluster has another one: load that first. It may be this very state,
                since the HTTP client repeats a request whose connection was closed.
            KubernetesError: The state may have been saved all the same, if only the answer got lost.
        """
        metadata = {"name": _STATE, **({"resourceVersion": self._version} if self._version else {})}
        item = _config_map(metadata, data={_STATE_KEY: codec.encode(state).decode()})
        try:
            if self._version:
                saved = await self._kubernetes.replace(f"{self._path}/{_STATE}", item)
            else:
                saved = await self._kubernetes.create(self._path, item)
        except KubernetesError as error:
            if error.status in (404, 409):
                raise StaleStateError from error
            raise
        self._version = str(saved["metadata"]["resourceVersion"])

    async def load_archive(self, ref: BundleRef) -> BundleArchive:
        """Return an archive; raises ArchiveError when it is gone or is another one."""
        name = _name(ref.digest)
        try:
            item = await self._kubernetes.read(f"{self._path}/{name}")
            archive = check_archive(base64.b64decode(item["binaryData"][_ARCHIVE_KEY], validate=True))
        except KubernetesError as error:
            if error.status != 404:
                raise
            raise ArchiveError(f"ConfigMap {name} is gone") from error
        except (KeyError, binascii.Error) as error:
            raise ArchiveError(f"ConfigMap {name} holds no archive: {error}") from error
        if archive.digest != ref.digest:
            raise ArchiveError(f"ConfigMap {name} holds another archive: {archive.digest}")
        return archive

    async def save_archive(self, archive: BundleArchive) -> None:
        """Save an archive unless it is there already, in place of a damaged one."""
        ref = archive.ref
        item = _config_map(
            {
                "name": _name(ref.digest),
                "labels": {"inaetics.org/bundle": ref.name, "inaetics.org/version": ref.version},
            },
            binaryData={_ARCHIVE_KEY: base64.b64encode(archive.content).decode()},
            immutable=True,
        )
        try:
            await self._kubernetes.create(self._path, item)
        except KubernetesError as error:
            if error.status != 409:
                raise
            try:
                await self.load_archive(ref)
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


def _config_map(metadata: dict[str, Any], **content: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **content}


def _name(digest: str) -> str:
    return f"bundle-{digest.removeprefix('sha256:')}"
