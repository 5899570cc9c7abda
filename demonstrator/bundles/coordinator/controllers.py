"""The replication controllers: how many pods they are asked for and have, and changing that."""

from collections.abc import Sequence
from typing import Any

from demonstrator.contracts.overview import Scale
from demonstrator.contracts.platform import KubernetesApi


class Controllers:
    """Follows the namespace's replication controllers."""

    def __init__(self, api: KubernetesApi, namespace: str) -> None:
        self._api = api
        self._path = f"/api/v1/namespaces/{namespace}/replicationcontrollers"
        self._scales: dict[str, Scale] = {}

    async def run(self) -> None:
        """Follow until cancelled."""
        async for objects in self._api.follow(self._path):
            self._scales = {name: _scale(data) for name, data in objects.items()}

    def scale(self, names: Sequence[str]) -> Scale | None:
        """The sum over these controllers; None while one of them is not known."""
        scales = [self._scales.get(name) for name in names]
        known = [scale for scale in scales if scale]
        if len(known) < len(scales):
            return None
        return Scale(sum(scale.requested for scale in known), sum(scale.actual for scale in known))

    async def request(self, name: str, replicas: int) -> None:
        """Ask for another number of pods; nothing is sent when it is asked for already."""
        scale = self._scales.get(name)
        if scale and scale.requested == replicas:
            return
        await self._api.patch(f"{self._path}/{name}/scale", {"spec": {"replicas": replicas}})
        if scale:
            # Seen at once, before the watch tells the same: the next decision builds on it.
            self._scales[name] = Scale(replicas, scale.actual)


def _scale(data: dict[str, Any]) -> Scale:
    return Scale(data["spec"].get("replicas", 1), data.get("status", {}).get("readyReplicas", 0))
