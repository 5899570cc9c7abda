"""Keeps the state in the cluster's own store: ConfigMaps in a namespace of the server's own.

One ConfigMap for targets and log, and one for each archive, named after its digest: what is in it
never changes, so that a change of the first one is the only moment at which anything changes.
"""

import base64
import binascii
from typing import Any

from demonstrator.lib import codec
from demonstrator.lib.kubernetes import Kubernetes
from demonstrator.platform.spi import KubernetesError
from demonstrator.provisioning import stored
from demonstrator.provisioning.state import Pin, State
from demonstrator.provisioning.stored import ArchiveError, StoredBundle

_STATE = "provisioning-state"
_MEMBER = "state.json"
_ARCHIVE = "bundle.zip"


class ConflictError(Exception):
    """Somebody else has changed the state meanwhile: load it, and change that."""


class Keeper:
    """Reads and writes the ConfigMaps; raises KubernetesError when the API does not let it."""

    def __init__(self, kubernetes: Kubernetes, namespace: str) -> None:
        self._kubernetes = kubernetes
        self._path = f"/api/v1/namespaces/{namespace}/configmaps"
        self._version = ""

    async def load(self) -> State:
        """The state as it is; the first one ever is empty."""
        try:
            item = await self._kubernetes.read(f"{self._path}/{_STATE}")
        except KubernetesError as error:
            if error.status != 404:
                raise
            self._version = ""
            return State()
        self._version = str(item["metadata"]["resourceVersion"])
        state = codec.decode(State, item["data"][_MEMBER], _STATE)
        return state

    async def save(self, state: State) -> None:
        """Replace the state that was loaded or saved last; raises ConflictError when it is another by now."""
        metadata = {"name": _STATE, **({"resourceVersion": self._version} if self._version else {})}
        item = _config_map(metadata, data={_MEMBER: codec.encode(state).decode()})
        try:
            if self._version:
                saved = await self._kubernetes.replace(f"{self._path}/{_STATE}", item)
            else:
                saved = await self._kubernetes.create(self._path, item)
        except KubernetesError as error:
            if error.status in (404, 409):
                raise ConflictError from error
            raise
        self._version = str(saved["metadata"]["resourceVersion"])

    async def load_bundle(self, pin: Pin) -> StoredBundle:
        """An archive; raises ArchiveError when what is kept is not it."""
        item = await self._kubernetes.read(f"{self._path}/{_name(pin.digest)}")
        try:
            bundle = stored.check(base64.b64decode(item["binaryData"][_ARCHIVE], validate=True))
        except (KeyError, binascii.Error) as error:
            raise ArchiveError(f"{_name(pin.digest)} holds no archive: {error}") from error
        if bundle.digest != pin.digest:
            raise ArchiveError(f"{_name(pin.digest)} holds another archive: {bundle.digest}")
        return bundle

    async def save_bundle(self, bundle: StoredBundle) -> None:
        """Keep an archive, if it is not kept already."""
        labels = {"inaetics.org/bundle": bundle.manifest.name, "inaetics.org/version": bundle.manifest.version}
        item = _config_map(
            {"name": _name(bundle.digest), "labels": labels},
            binaryData={_ARCHIVE: base64.b64encode(bundle.archive).decode()},
            immutable=True,
        )
        try:
            await self._kubernetes.create(self._path, item)
        except KubernetesError as error:
            if error.status != 409:
                raise

    async def delete_bundle(self, digest: str) -> None:
        """Let an archive go that the state does not name any more."""
        try:
            await self._kubernetes.delete(f"{self._path}/{_name(digest)}")
        except KubernetesError as error:
            if error.status != 404:
                raise


def _config_map(metadata: dict[str, Any], **content: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **content}


def _name(digest: str) -> str:
    return f"bundle-{digest.removeprefix('sha256:')}"
