"""The machines of the cluster, followed through the Kubernetes API."""

from typing import Any

from demonstrator.model.overview import Node
from demonstrator.platform.spi import KubernetesApi


class Nodes:
    """Keeps the list of nodes."""

    def __init__(self, api: KubernetesApi) -> None:
        self._api = api
        self._nodes: tuple[Node, ...] = ()

    async def run(self) -> None:
        """Follow until cancelled."""
        async for objects in self._api.follow("/api/v1/nodes"):
            self._nodes = tuple(_node(name, data) for name, data in sorted(objects.items()))

    def nodes(self) -> tuple[Node, ...]:
        """All nodes, by name; none while Kubernetes has not told."""
        return self._nodes


def _node(name: str, data: dict[str, Any]) -> Node:
    conditions = data.get("status", {}).get("conditions", ())
    # A node that has fallen silent is "Unknown".
    return Node(name, any(item["type"] == "Ready" and item["status"] == "True" for item in conditions))
