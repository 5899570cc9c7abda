"""The Kubernetes API in the few nouns that this project asks about, behind the official client.

Answers are read as plain JSON: a bad answer becomes an ApiError that says what was asked and what
came back, whatever shape it has.
"""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from runner.declaration.model import Declaration
from runner.errors import HostsError
from runner.machines import hosts
from runner.state import State

if TYPE_CHECKING:  # to load it takes a while
    from kubernetes.client import Configuration

SITE = "`python -m runner site` raises the cluster."

CONNECT, READ = 2.0, 5.0  # seconds until a request is given up


class ApiError(Exception):
    """The API did not answer, or not as it should."""


@dataclass(frozen=True)
class Node:
    """A node; `problem` says why it is not ready."""

    name: str
    ready: bool
    problem: str
    version: str
    cpus: str
    memory: str


@dataclass(frozen=True)
class Pod:
    """A pod; `status` is the word that kubectl shows."""

    namespace: str
    name: str
    ready: int
    containers: int
    status: str
    restarts: int
    node: str
    started: datetime | None


@dataclass(frozen=True)
class Service:
    """A service and where it answers."""

    namespace: str
    name: str
    kind: str
    address: str
    external: str
    ports: str


@dataclass(frozen=True)
class Replicas:
    """A replication controller or a deployment: how many pods it shall have and how many are ready."""

    name: str
    wanted: int
    ready: int


def connect(declaration: Declaration, state: State) -> "Api":
    """A client of the declared cluster.

    Raises:
        HostsError: the hosts' network is not there, or the cluster has never been raised.
    """
    return Api(kubeconfig(declaration, state))


def kubeconfig(declaration: Declaration, state: State) -> Path:
    """The cluster's kubeconfig, once it is safe to use.

    Nothing may be sent to a cluster address before its bridge exists: it would leave by the default route.

    Raises:
        HostsError: the hosts' network is not there, or the cluster has never been raised.
    """
    if not hosts.bridge_present(declaration):
        raise HostsError(f"The hosts' network {declaration.network} does not exist on this machine.", SITE)
    if not state.kubeconfig.exists():
        raise HostsError("The cluster has no kubeconfig yet.", SITE)
    return state.kubeconfig


def configuration(kubeconfig: Path) -> "Configuration":
    """What the official client needs to know of the cluster that a kubeconfig names."""
    from kubernetes import client, config

    settings = client.Configuration()
    load: Any = config.load_kube_config  # has no types
    load(str(kubeconfig), client_configuration=settings, persist_config=False)
    settings.proxy = None  # the cluster is on this machine or beside it
    return settings


class Api:
    """A client of the cluster that a kubeconfig names."""

    def __init__(self, kubeconfig: Path) -> None:
        from kubernetes import client

        settings = configuration(kubeconfig)
        settings.retries = 0
        self.server = str(settings.host)
        self._client = client.ApiClient(settings)

    def text(self, path: str, **query: str) -> str:
        """GET a path; the body of a 200, an ApiError for anything else."""
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        url = f"{self.server}{path}{'?' + urlencode(query) if query else ''}"
        try:
            answer = self._client.call_api("GET", url, {"Accept": "application/json"}, _request_timeout=(CONNECT, READ))
            body = str(answer.response.data, errors="replace")
        except (ApiException, HTTPError, OSError) as error:
            raise ApiError(f"{url} does not answer: {_in_short(error)}") from error
        if answer.status != 200:
            raise ApiError(f"{url} answers {answer.status} {answer.reason}: {body[:200].strip()}")
        return body

    def items(self, path: str, **query: str) -> list[dict[str, Any]]:
        """The items of a list of the API."""
        body = self.text(path, **query)
        try:
            items = json.loads(body)["items"] or []
        except (ValueError, KeyError, TypeError) as error:
            raise ApiError(f"{path} answers no list: {body[:200].strip()}") from error
        return list(items)

    def nodes(self) -> list[Node]:
        """Every node."""
        return [_node(item) for item in self.items("/api/v1/nodes")]

    def pods(self, namespace: str = "") -> list[Pod]:
        """The pods of a namespace, or of all."""
        return [as_pod(item) for item in self.items(_core(namespace, "pods"))]

    def services(self, namespace: str = "") -> list[Service]:
        """The services of a namespace, or of all."""
        return [_service(item) for item in self.items(_core(namespace, "services"))]

    def replication_controllers(self, namespace: str) -> list[Replicas]:
        """The replication controllers of a namespace."""
        return [_replicas(item) for item in self.items(_core(namespace, "replicationcontrollers"))]

    def deployments(self, namespace: str) -> list[Replicas]:
        """The deployments of a namespace."""
        return [_replicas(item) for item in self.items(f"/apis/apps/v1/namespaces/{namespace}/deployments")]

    def ready_endpoints(self, namespace: str, service: str) -> list[str]:
        """The addresses to which a service's traffic goes."""
        path = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
        slices = self.items(path, labelSelector=f"kubernetes.io/service-name={service}")
        return [
            address
            for part in slices
            for endpoint in part.get("endpoints") or []
            if endpoint.get("conditions", {}).get("ready")
            for address in endpoint.get("addresses", [])
        ]


def _in_short(error: BaseException) -> str:
    """The reason, which urllib3 wraps several times over and prefixes with its objects."""
    reason = getattr(error, "reason", None)
    if isinstance(reason, BaseException):
        return _in_short(reason)
    return re.sub(r"^(<.*>|\w+\(.*?\)): ", "", str(error)) or repr(error)


def _core(namespace: str, plural: str) -> str:
    return f"/api/v1/namespaces/{namespace}/{plural}" if namespace else f"/api/v1/{plural}"


def _node(item: dict[str, Any]) -> Node:
    status = item.get("status", {})
    condition: dict[str, Any] = next((c for c in status.get("conditions", []) if c.get("type") == "Ready"), {})
    ready = condition.get("status") == "True"
    allocatable = status.get("allocatable", {})
    return Node(
        name=item["metadata"]["name"],
        ready=ready,
        problem="" if ready else condition.get("message") or condition.get("reason") or "has not reported yet",
        version=status.get("nodeInfo", {}).get("kubeletVersion", ""),
        cpus=str(allocatable.get("cpu", "")),
        memory=str(allocatable.get("memory", "")),
    )


def as_pod(item: dict[str, Any]) -> Pod:
    """A pod of the API's in the words of kubectl."""
    spec, status = item.get("spec", {}), item.get("status", {})
    containers: list[dict[str, Any]] = status.get("containerStatuses") or []
    started = status.get("startTime")
    return Pod(
        namespace=item["metadata"].get("namespace", ""),
        name=item["metadata"]["name"],
        ready=sum(bool(container.get("ready")) for container in containers),
        containers=len(spec.get("containers", [])),
        status=_pod_status(item, containers),
        restarts=sum(int(container.get("restartCount", 0)) for container in containers),
        node=spec.get("nodeName", ""),
        started=datetime.fromisoformat(started).astimezone(UTC) if started else None,
    )


def _pod_status(item: dict[str, Any], containers: list[dict[str, Any]]) -> str:
    if item["metadata"].get("deletionTimestamp"):
        return "Terminating"
    for container in containers:
        state = container.get("state", {})
        for kind in ("waiting", "terminated"):
            if state.get(kind, {}).get("reason"):
                return str(state[kind]["reason"])
    status = item.get("status", {})
    return str(status.get("reason") or status.get("phase", "Unknown"))


def _service(item: dict[str, Any]) -> Service:
    spec = item.get("spec", {})
    external = item.get("status", {}).get("loadBalancer", {}).get("ingress") or []
    return Service(
        namespace=item["metadata"].get("namespace", ""),
        name=item["metadata"]["name"],
        kind=spec.get("type", ""),
        address=spec.get("clusterIP", ""),
        external=",".join(entry.get("ip") or entry.get("hostname", "") for entry in external),
        ports=",".join(f"{port['port']}/{port.get('protocol', 'TCP')}" for port in spec.get("ports") or []),
    )


def _replicas(item: dict[str, Any]) -> Replicas:
    return Replicas(
        name=item["metadata"]["name"],
        wanted=int(item.get("spec", {}).get("replicas", 1)),
        ready=int(item.get("status", {}).get("readyReplicas", 0)),
    )
