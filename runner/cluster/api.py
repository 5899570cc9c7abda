"""The cluster as its Kubernetes API shows it; each exception of the official client becomes an ApiError here."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from runner.declaration import Cluster, Declaration
from runner.errors import HostsError
from runner.machines import hosts
from runner.state import State

if TYPE_CHECKING:  # takes seconds to load
    from kubernetes.client import Configuration

T = TypeVar("T")
SITE = "`python -m runner site` raises the cluster."

CONNECT, READ = 2.0, 5.0  # time limits of a request in seconds
# The client's errors at something that is not as it expects it
_UNEXPECTED = (ValueError, TypeError, AttributeError, LookupError)


class ApiError(Exception):
    """The API did not answer, or answered with an error or something unexpected."""


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
    """A pod; `status` is the word that kubectl shows, and an image is `NAME:TAG@DIGEST` as the node pulled it."""

    namespace: str
    name: str
    ready: int
    containers: int
    status: str
    restarts: int
    node: str
    started: datetime | None
    images: tuple[str, ...] = ()


@dataclass(frozen=True)
class Service:
    """A service and its addresses."""

    namespace: str
    name: str
    kind: str
    address: str
    external: str
    ports: str


@dataclass(frozen=True)
class Replicas:
    """A replication controller or a deployment: the desired number of pods, and how many are ready."""

    name: str
    desired: int
    ready: int


def kubeconfig(cluster: Cluster | None, state: State) -> Path:
    """Return the path of the cluster's kubeconfig, once it is safe to use; None stands for any own machines.

    Raises HostsError if the hosts' network does not exist, or the cluster has never been raised.
    """
    # Before the hosts' bridge exists, a request to a cluster address would leave by the default route. The network
    # of the user's own machines is not one of this machine's bridges.
    if isinstance(cluster, Declaration) and not hosts.bridge_present(cluster):
        raise HostsError(f"The hosts' network {cluster.network} does not exist on this machine.", SITE)
    if not state.kubeconfig.exists():
        raise HostsError("The cluster has no kubeconfig yet.", SITE)
    return state.kubeconfig


def configuration(kubeconfig: Path) -> "Configuration":
    """Return the official client's settings for the cluster of a kubeconfig, or raise HostsError where it is none."""
    import yaml
    from kubernetes import client, config

    settings = client.Configuration()
    try:
        config.load_kube_config(str(kubeconfig), client_configuration=settings, persist_config=False)
    except (config.ConfigException, yaml.YAMLError, *_UNEXPECTED) as error:
        raise HostsError(f"{kubeconfig} is not a valid kubeconfig.", SITE, str(error)) from None
    settings.proxy = None  # the cluster is on this machine or beside it
    return settings


@contextmanager
def translate_errors(request: str) -> Iterator[None]:
    """Raise an ApiError that names the request for whatever client, transport or an unexpected answer raise."""
    from kubernetes.client.exceptions import ApiException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except ApiException as error:
        raise ApiError(f"{request} answers {error.status} {error.reason}: {_shorten(error.body or '')}") from error
    except (HTTPError, OSError) as error:
        reason = getattr(error, "reason", None) or error
        # Without the object that urllib3 puts before it
        text = re.sub(r"^(<.*>|\w+\(.*?\)): ", "", str(reason)) or repr(reason)
        raise ApiError(f"{request} does not answer: {text}") from error
    # The client checks an answer's types, but calls almost every member optional.
    except _UNEXPECTED as error:
        raise ApiError(f"{request} answers something unexpected: {_shorten(getattr(error, 'doc', error))}") from error


class Api:
    """A client of the cluster that a kubeconfig names; every method raises ApiError."""

    def __init__(self, kubeconfig: Path) -> None:
        from kubernetes import client

        settings = configuration(kubeconfig)
        settings.retries = 0
        self._server = settings.host
        self._client = client.ApiClient(settings)
        self._core = client.CoreV1Api(self._client)
        self._apps = client.AppsV1Api(self._client)
        self._discovery = client.DiscoveryV1Api(self._client)

    def is_ready(self) -> bool:
        """Return True if the API server reports that it is ready."""
        url = f"{self._server}/readyz"
        with translate_errors(url):
            answer: Any = self._client.call_api("GET", url, _request_timeout=(CONNECT, READ))
            answer.read()
            return bool(self._client.response_deserialize(answer, {"200": "str"}).data == "ok")

    def nodes(self) -> list[Node]:
        """Return every node."""
        return self._list(_node, self._core.list_node)

    def pods(self, namespace: str = "") -> list[Pod]:
        """Return the pods of a namespace, or of all."""
        if namespace:
            return self._list(as_pod, self._core.list_namespaced_pod, namespace)
        return self._list(as_pod, self._core.list_pod_for_all_namespaces)

    def services(self) -> list[Service]:
        """Return the services of all namespaces."""
        return self._list(_service, self._core.list_service_for_all_namespaces)

    def replication_controllers(self, namespace: str) -> list[Replicas]:
        """Return the replication controllers of a namespace."""
        return self._list(_replicas, self._core.list_namespaced_replication_controller, namespace)

    def deployments(self, namespace: str) -> list[Replicas]:
        """Return the deployments of a namespace."""
        return self._list(_replicas, self._apps.list_namespaced_deployment, namespace)

    def has_endpoint(self, namespace: str, service: str) -> bool:
        """Return True if a pod receives a service's traffic."""
        selector = f"kubernetes.io/service-name={service}"
        find = self._discovery.list_namespaced_endpoint_slice
        return any(self._list(_has_ready_address, find, namespace, label_selector=selector))

    def _list(self, convert: Callable[[Any], T], method: Callable[..., Any], *scope: str, **query: str) -> list[T]:
        with translate_errors(" ".join((method.__name__, *scope, "of", self._server))):
            return [convert(item) for item in method(*scope, _request_timeout=(CONNECT, READ), **query).items]


def _shorten(text: object) -> str:
    return " ".join(str(text).split())[:200]


def _node(item: Any) -> Node:
    condition = next((one for one in item.status.conditions or [] if one.type == "Ready"), None)
    ready = condition is not None and condition.status == "True"
    problem = (condition and (condition.message or condition.reason)) or "has not reported yet"
    version = item.status.node_info.kubelet_version if item.status.node_info else ""
    cpus, memory = ((item.status.allocatable or {}).get(name, "") for name in ("cpu", "memory"))
    return Node(item.metadata.name, ready, "" if ready else problem, version, cpus, memory)


def as_pod(item: Any) -> Pod:
    """Return a pod of the client's in the words of kubectl."""
    containers = item.status.container_statuses or []
    states = [container.state for container in containers if container.state]
    reasons = [part.reason for state in states for part in (state.waiting, state.terminated) if part and part.reason]
    status = next(iter(reasons), "") or item.status.reason or item.status.phase or "Unknown"
    return Pod(
        namespace=item.metadata.namespace or "",
        name=item.metadata.name,
        ready=sum(container.ready for container in containers),
        containers=len(item.spec.containers),
        status="Terminating" if item.metadata.deletion_timestamp else status,
        restarts=sum(container.restart_count for container in containers),
        node=item.spec.node_name or "",
        started=item.status.start_time,
        images=tuple(f"{one.image}@{one.image_id.rpartition('@')[2]}" for one in containers if one.image_id),
    )


def _service(item: Any) -> Service:
    balancer = item.status.load_balancer if item.status else None
    return Service(
        namespace=item.metadata.namespace or "",
        name=item.metadata.name,
        kind=item.spec.type or "",
        address=item.spec.cluster_ip or "",
        external=",".join(one.ip or one.hostname for one in (balancer and balancer.ingress) or []),
        ports=",".join(f"{port.port}/{port.protocol or 'TCP'}" for port in item.spec.ports or []),
    )


def _replicas(item: Any) -> Replicas:
    # The API leaves 0 out of a status.
    return Replicas(item.metadata.name, item.spec.replicas, item.status.ready_replicas or 0)


def _has_ready_address(part: Any) -> bool:
    return any(one.conditions and one.conditions.ready and one.addresses for one in part.endpoints or [])
