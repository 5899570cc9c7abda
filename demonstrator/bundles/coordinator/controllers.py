"""The replication controllers: how many pods they are asked for and have, and changing that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from demonstrator.model.overview import Initiator, Scale
from demonstrator.platform.spi import KubernetesApi


@dataclass(frozen=True, slots=True)
class Asked:
    """What this coordinator has asked for last: how many pods, on whose behalf and why."""

    replicas: int
    by: Initiator
    why: str


class Controllers:
    """Follows the namespace's replication controllers."""

    def __init__(self, api: KubernetesApi, namespace: str) -> None:
        self._api = api
        self._path = f"/api/v1/namespaces/{namespace}/replicationcontrollers"
        self._scales: dict[str, Scale] = {}
        self._asked: dict[str, Asked] = {}

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

    def requested(self) -> Mapping[str, int]:
        """How many pods each controller is asked for."""
        return {name: scale.requested for name, scale in self._scales.items()}

    def asked(self) -> Mapping[str, Asked]:
        """The last request to each controller that came from here."""
        return dict(self._asked)

    async def request(self, name: str, replicas: int, by: Initiator, why: str = "") -> None:
        """Ask for another number of pods; nothing is sent when it is asked for already."""
        scale = self._scales.get(name)
        if scale and scale.requested == replicas:
            return
        # Before the watch can tell of it.
        self._asked[name] = Asked(replicas, by, why)
        await self._api.patch(f"{self._path}/{name}/scale", {"spec": {"replicas": replicas}})
        if scale:
            # Seen at once, before the watch tells the same: the next decision builds on it.
            self._scales[name] = Scale(replicas, scale.actual)


def _scale(data: dict[str, Any]) -> Scale:
    return Scale(data["spec"].get("replicas", 1), data.get("status", {}).get("readyReplicas", 0))
