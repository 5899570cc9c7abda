"""The pods of the namespace, followed through the Kubernetes API."""

from collections.abc import Callable
from typing import Any

from demonstrator.contracts.kubernetes import Kubernetes
from demonstrator.contracts.platform import Pod

SERVICES_PORT_NAME = "services"


class PodWatch:
    """Keeps the list of pods and calls `changed` whenever it may be another one."""

    def __init__(self, kubernetes: Kubernetes, namespace: str, changed: Callable[[], None]) -> None:
        self._kubernetes = kubernetes
        self._path = f"/api/v1/namespaces/{namespace}/pods"
        self._changed = changed
        self._pods: dict[str, Pod] = {}

    def pods(self) -> tuple[Pod, ...]:
        """All pods that are known now, by name."""
        return tuple(pod for _, pod in sorted(self._pods.items()))

    async def run(self) -> None:
        """Follow the pods until cancelled; an API server that restarts stops no data."""
        async for objects in self._kubernetes.follow(self._path):
            self._pods = {name: read_pod(data) for name, data in objects.items()}
            self._changed()


def read_pod(data: dict[str, Any]) -> Pod:
    """A pod from what the API says of it."""
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
    )
