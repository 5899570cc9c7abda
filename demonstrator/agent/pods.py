"""The pods of the namespace, followed through the Kubernetes API."""

from collections.abc import Callable
from typing import Any

from demonstrator.lib.kubernetes import Kubernetes
from demonstrator.platform import Container, Pod


class PodWatch:
    """The list of pods, kept up to date and handed to `changed` after each event."""

    def __init__(self, kubernetes: Kubernetes, namespace: str, changed: Callable[[tuple[Pod, ...]], None]) -> None:
        self._kubernetes = kubernetes
        self._path = f"/api/v1/namespaces/{namespace}/pods"
        self._changed = changed
        self._pods: tuple[Pod, ...] = ()

    def pods(self) -> tuple[Pod, ...]:
        """See PodDirectory.pods."""
        return self._pods

    async def run(self) -> None:
        """Follow the pods until cancelled."""
        async for objects in self._kubernetes.follow(self._path):
            self._pods = tuple(read_pod(data) for _, data in sorted(objects.items()))
            self._changed(self._pods)


def read_pod(data: dict[str, Any]) -> Pod:
    """Read a pod from the API's object."""
    specification, status = data["spec"], data.get("status", {})
    containers = specification["containers"]
    ports = (port for container in containers for port in container.get("ports", ()))
    conditions = {condition["type"]: condition["status"] for condition in status.get("conditions", ())}
    # A container that the node has not reported yet has no state.
    statuses = {item["name"]: item for item in status.get("containerStatuses", ())}
    return Pod(
        name=data["metadata"]["name"],
        phase="Terminating" if "deletionTimestamp" in data["metadata"] else status.get("phase", ""),
        ready=conditions.get("Ready") == "True",
        node=specification.get("nodeName", ""),
        address=status.get("podIP", ""),
        services_port=next((port["containerPort"] for port in ports if port.get("name") == "services"), None),
        containers=tuple(_container(item["name"], statuses.get(item["name"], {})) for item in containers),
    )


def _container(name: str, status: dict[str, Any]) -> Container:
    states: dict[str, Any] = status.get("state", {})
    state = next(iter(states), "")
    ended = status.get("lastState", {}).get("terminated", {})
    reason = states.get(state, {}).get("reason") or ended.get("reason") or ""
    return Container(name, state, reason, status.get("restartCount", 0))
