"""Access of the benchmarks to the running cluster: the dashboard, the Kubernetes API, and services of agents."""

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from kubernetes import client
from kubernetes.utils.quantity import parse_quantity

from runner.cluster import Api, configuration

NAMESPACE = "default"

_METRICS = f"/apis/metrics.k8s.io/v1beta1/namespaces/{NAMESPACE}/pods"
_PAGES, _SERVICES = 8080, 8081
_CPU_TIME = re.compile(r'^pod_cpu_usage_seconds_total\{namespace="([^"]+)",pod="([^"]+)"\} (\S+) (\d+)$', re.MULTILINE)


class CpuTime(NamedTuple):
    """The CPU seconds that a pod has used until a time, in seconds since 1970."""

    seconds: float
    at: float


class Cluster:
    """The dashboard's address and the Kubernetes API."""

    def __init__(self, url: str, kubeconfig: Path) -> None:
        self.url = url
        self._kubeconfig = kubeconfig
        self._client = self.connect()
        self.core: Any = client.CoreV1Api(self._client)
        self.api = Api(kubeconfig)

    def connect(self) -> client.ApiClient:
        """Return another client of the API."""
        return client.ApiClient(configuration(self._kubeconfig))

    def scale(self, name: str, replicas: int) -> int:
        """Set the number of a controller's pods, and return the number before."""
        before = self.core.read_namespaced_replication_controller_scale(name, NAMESPACE).spec
        self.core.patch_namespaced_replication_controller_scale(name, NAMESPACE, {"spec": {"replicas": replicas}})
        return int(before.replicas or 0)

    def services(self, namespace: str, pod: str) -> dict[str, str]:
        """Return the paths of the services of a pod's agent at its second port, by their contract."""
        found = self._request("GET", f"/api/v1/namespaces/{namespace}/pods/{pod}:{_PAGES}/proxy/services")["services"]
        return {item["contract"]: f"/services/{item['id']}/{item['contract']}" for item in found}

    def call(self, namespace: str, pod: str, contract: str, method: str, **arguments: Any) -> Any:
        """Call a service of a pod's agent, through the API server."""
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}:{_SERVICES}/proxy{self.services(namespace, pod)[contract]}"
        return self._request("POST", f"{path}/{method}", arguments)["result"]

    def limits(self) -> dict[str, float]:
        """Return the memory that each pod may use, in MiB."""
        return {
            pod.metadata.name: sum(mebibytes(container.resources.limits["memory"]) for container in pod.spec.containers)
            for pod in self.core.list_namespaced_pod(NAMESPACE).items
        }

    def memory(self) -> dict[str, float]:
        """Return the memory that each pod uses, in MiB, as metrics-server reports it."""
        return {
            item["metadata"]["name"]: sum(mebibytes(part["usage"]["memory"]) for part in item["containers"])
            for item in self._request("GET", _METRICS)["items"]
        }

    def cpu_seconds(self) -> dict[str, CpuTime]:
        """Return the CPU time of each pod, as the kubelet of its node last read it."""
        used: dict[str, CpuTime] = {}
        for node in self.core.list_node().items:
            used |= cpu_times(self.core.connect_get_node_proxy_with_path(node.metadata.name, "metrics/resource"))
        return used

    def _request(self, method: str, path: str, body: Any = None) -> Any:
        url = f"{self._client.configuration.host}{path}"
        answer: Any = self._client.call_api(method, url, {"Content-Type": "application/json"}, body=body)
        if answer.status != 200:
            raise RuntimeError(f"{method} {url} answers {answer.status} {answer.reason}")
        return json.loads(answer.read())


def mebibytes(quantity: str) -> float:
    """Return a quantity of Kubernetes in MiB."""
    return float(parse_quantity(quantity)) / 2**20


def cpu_times(metrics: str) -> dict[str, CpuTime]:
    """Return the CPU time of the demonstrator's pods from a kubelet's metrics, by the pod's name."""
    return {
        pod: CpuTime(float(seconds), int(milliseconds) / 1_000)
        for namespace, pod, seconds, milliseconds in _CPU_TIME.findall(metrics)
        if namespace == NAMESPACE
    }
