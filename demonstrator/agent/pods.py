"""The pods of the namespace, followed through the Kubernetes API."""

from collections.abc import Callable
from typing import Any

from demonstrator.lib.kubernetes import Kubernetes
from demonstrator.platform import Container, Pod

SERVICES_PORT_NAME = "services"


class PodWatch:
    """The list of pods, kept up to date; calls `changed` after each event."""

    def __init__(self, kubernetes: Kubernetes, namespace: str, changed: Callable[[], None]) -> None:
        self._kubernetes = kubernetes
        self._path = f"/api/v1/namespaces/{namespace}/pods"
        self._changed = changed
        self._pods: dict[str, Pod] = {}

    def pods(self) -> tuple[Pod, ...]:
        """See PodDirectory.pods."""
        return tuple(pod for _, pod in sorted(self._pods.items()))

    async def run(self) -> None:
        """Follow the pods until cancelled."""
        async for objects in self._kubernetes.follow(self._path):
            self._pods = {name: read_pod(data) for name, data in objects.items()}
            self._changed()


def read_pod(data: dict[str, Any]) -> Pod:
    """Read a pod from the API's object."""
    specification, status = data["spec"], data.get("status", {})
    phase = "Terminating" if "deletionTimestamp" in data["metadata"] else status.get("phase", "")
    ports = (
        port["containerPort"]
        for container in specification["containers"]
        for port in container.get("ports", ())
        if port.get("name") == SERVICES_PORT_NAME
    )
    return Pod(
        name=data["metadata"]["name"],
        phase=phase,
        ready=any(
            condition["type"] == "Ready" and condition["status"] == "True" for condition in status.get("conditions", ())
        ),
        node=specification.get("nodeName", ""),
        address=status.get("podIP", ""),
        services_port=next(ports, None),
        containers=_containers(specification, status),
    )


def _containers(specification: dict[str, Any], status: dict[str, Any]) -> tuple[Container, ...]:
    """Read the containers in the template's order; those that the node has not reported yet have no state."""
    statuses = {item["name"]: item for item in status.get("containerStatuses", ())}
    return tuple(_container(item["name"], statuses.get(item["name"], {})) for item in specification["containers"])


def _container(name: str, status: dict[str, Any]) -> Container:
    states: dict[str, Any] = status.get("state", {})
    state = next(iter(states), "")
    ended = status.get("lastState", {}).get("terminated", {})
    reason = states.get(state, {}).get("reason") or ended.get("reason") or ""
    return Container(name, state, reason, status.get("restartCount", 0))
