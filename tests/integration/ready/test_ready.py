"""Readiness, asked of an HTTP server on loopback that speaks just enough of the Kubernetes API."""

import itertools
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest
import yaml

from runner.cluster import api as api_module
from runner.cluster import get_status
from runner.cluster.api import Api, ApiError, kubeconfig
from runner.cluster.ready import conditions, poll
from runner.declaration.model import load
from runner.errors import HostsError, NotReadyError
from runner.events import Event, Progress
from runner.state import DECLARATION, State
from tests.support.own_machines import ADDRESSES, own_machines

NODES = ("172.17.8.31", "172.17.8.32")


def node(name: str, *, ready: bool = True) -> dict[str, Any]:
    condition = {"type": "Ready", "status": "True" if ready else "False", "message": "container runtime is down"}
    return {"metadata": {"name": name}, "status": {"conditions": [condition]}}


def replicas(name: str, desired: int, ready: int) -> dict[str, Any]:
    spec = {"replicas": desired, "selector": {}, "template": {}}
    return {"metadata": {"name": name}, "spec": spec, "status": {"replicas": desired, "readyReplicas": ready}}


def pod(name: str, reason: str) -> dict[str, Any]:
    container = {"name": "main", "image": "", "imageID": "", "ready": False, "restartCount": 0}
    status = {"phase": "Pending", "containerStatuses": [{**container, "state": {"waiting": {"reason": reason}}}]}
    return {"metadata": {"name": name}, "spec": {"containers": [{"name": "main"}]}, "status": status}


def network_check(node: str, *, ready: bool = True) -> dict[str, Any]:
    container = {"name": "main", "image": "", "imageID": "", "ready": ready, "restartCount": 0}
    status = {"phase": "Running", "containerStatuses": [container]}
    name = {"name": f"network-check-{node.rpartition('.')[2]}"}
    return {"metadata": name, "spec": {"nodeName": node, "containers": [{"name": "main"}]}, "status": status}


def scaling(rule: str = "predictive", utilisation: int = 20, producers: int = 1, processors: int = 1) -> dict[str, Any]:
    counts = {"producers": {"requested": producers}, "processors": {"requested": processors}}
    return {"rule": rule, "preferred_utilisation": utilisation, **counts}


def statistics(stored: int | None, **changes: Any) -> dict[str, Any]:
    return {"accounting": None if stored is None else {"stored": stored}, "scaling": scaling(**changes)}


@dataclass
class Cluster:
    """The server's answers by path: JSON, text, a status, or the next of an iterator; a test may change them."""

    answers: dict[str, Any] = field(default_factory=dict)
    hang: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def list(self, path: str, *items: dict[str, Any]) -> None:
        self.answers[path] = {"items": items}


@contextmanager
def serve(cluster: Cluster) -> Iterator[None]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = cluster.answers.get(self.path.partition("?")[0], 404)
            if isinstance(answer, Iterator):
                answer = next(answer)
            if answer == "hang":
                cluster.hang.wait()
                return
            status = answer if isinstance(answer, int) else 200
            body = answer if isinstance(answer, str) else json.dumps(answer)
            self.send_response(status)
            self.send_header("Content-Type", "text/plain" if isinstance(answer, str) else "application/json")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            """The output is for pytest."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    cluster.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield
    finally:
        cluster.hang.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    cluster = Cluster()
    core, system = "/api/v1/namespaces/default", "/apis/apps/v1/namespaces/kube-system"
    flow = map(statistics, itertools.count())
    cluster.answers = {"/readyz": "ok", "/": "<html>", "/coordinator/statistics": flow}
    cluster.list("/api/v1/nodes", *map(node, NODES))
    cluster.list(f"{system}/deployments", replicas("coredns", 2, 2), replicas("metrics-server", 1, 0))
    cluster.list("/api/v1/namespaces/kube-system/pods", *map(network_check, NODES))
    endpoint = {"addresses": ["10.1.3.4"], "conditions": {"ready": True}}
    path = "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices"
    cluster.list(path, {"addressType": "IPv4", "endpoints": [endpoint]})
    cluster.list(f"{core}/replicationcontrollers", replicas("inaetics-queue-controller", 1, 1))
    cluster.list(f"{core}/pods")
    with serve(cluster):
        yield cluster


def client(cluster: Cluster, directory: Path) -> Api:
    config = directory / "kubeconfig"
    document = {
        "clusters": [{"name": "c", "cluster": {"server": cluster.url}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    config.write_text(yaml.safe_dump(document))
    return Api(config)


def await_all(cluster: Cluster, directory: Path, limit: float = 0.2) -> list[Event]:
    events: list[Event] = []
    poll(conditions(client(cluster, directory), NODES, cluster.url, cluster.url), events.append, limit)
    return events


def test_every_condition_of_a_ready_cluster_holds(cluster: Cluster, tmp_path: Path) -> None:
    events = await_all(cluster, tmp_path, limit=10)
    assert [event.item for event in events if isinstance(event, Progress) and event.finished] == [
        "API answers",
        "nodes ready",
        "names resolve",
        "pods reach other nodes",
        "all pods ready",
        "page answers",
        "data flows",
        "provisioning answers",
    ]


def test_a_proxy_of_the_environment_is_not_asked(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    await_all(cluster, tmp_path, limit=10)


def test_waits_until_a_condition_holds(cluster: Cluster, tmp_path: Path) -> None:
    cluster.list("/api/v1/nodes", node(NODES[0]))
    timer = threading.Timer(0.5, lambda: cluster.list("/api/v1/nodes", *map(node, NODES)))
    timer.start()
    events = await_all(cluster, tmp_path, limit=10)
    timer.join()
    assert Progress("ready", "nodes ready", "172.17.8.32 has not registered") in events
    assert Progress("ready", "nodes ready", "yes", finished=True) in events


@pytest.mark.parametrize(
    ("path", "answer", "message"),
    [
        ("/readyz", 500, "API answers: {url}/readyz answers 500 Internal Server Error: 500"),
        ("/readyz", "hang", "API answers: {url}/readyz does not answer: Read timed out. (read timeout=0.3)."),
        ("/api/v1/nodes", {"items": [node(NODES[0], ready=False)]}, "nodes ready: 172.17.8.32 has not registered; "),
        ("/api/v1/nodes", "<html>", "nodes ready: list_node of {url} answers something unexpected: "),
        ("/api/v1/nodes", {"kind": "Status"}, "nodes ready: list_node of {url} answers something unexpected: "),
        ("/apis/apps/v1/namespaces/kube-system/deployments", {"items": []}, "names resolve: there is no CoreDNS"),
        (
            "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices",
            {"items": [{"addressType": "IPv4", "endpoints": None}]},
            "names resolve: kube-dns has no endpoint",
        ),
        ("/api/v1/nodes", {"items": [{}]}, "nodes ready: list_node of {url} answers something unexpected: "),
        (
            "/apis/apps/v1/namespaces/kube-system/deployments",
            403,
            "names resolve: list_namespaced_deployment kube-system of {url} answers 403 Forbidden: 403",
        ),
        (
            "/api/v1/namespaces/kube-system/pods",
            {"items": [network_check(NODES[0]), network_check(NODES[1], ready=False)]},
            "pods reach other nodes: not on 172.17.8.32",
        ),
        ("/", 503, "page answers: {url}/ answers 503 Service Unavailable"),
        (
            "/coordinator/statistics",
            "<html>",
            "data flows: {url}/coordinator/statistics answers something unexpected: <",
        ),
        ("/coordinator/statistics", "hang", "data flows: {url}/coordinator/statistics does not answer: Read timed out"),
        (
            "/coordinator/statistics",
            {"stored": 1},
            "data flows: {url}/coordinator/statistics answers something unexpec",
        ),
        ("/coordinator/statistics", statistics(None), "data flows: no queue has answered yet"),
        ("/coordinator/statistics", statistics(7), "data flows: 7 samples are stored, no more arrived yet"),
    ],
)
def test_a_condition_that_does_not_hold_is_named_with_what_was_observed(
    cluster: Cluster, tmp_path: Path, path: str, answer: Any, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_module, "READ", 0.3)
    monkeypatch.setattr("runner.cluster.ready.PAGE_TIMEOUT", 0.3)
    cluster.answers[path] = answer
    with pytest.raises(NotReadyError) as caught:
        await_all(cluster, tmp_path)
    assert message.format(url=cluster.url) in caught.value.message
    assert "python -m runner status" in caught.value.remedy


def test_short_replication_controller_names_its_pods_reasons(cluster: Cluster, tmp_path: Path) -> None:
    core = "/api/v1/namespaces/default"
    cluster.list(f"{core}/replicationcontrollers", replicas("inaetics-queue-controller", 1, 0))
    cluster.list(f"{core}/pods", pod("inaetics-queue-controller-9jcpk", "ImagePullBackOff"))
    with pytest.raises(NotReadyError) as caught:
        await_all(cluster, tmp_path)
    assert "inaetics-queue-controller 0/1 (inaetics-queue-controller-9jcpk ImagePullBackOff)" in caught.value.message


@pytest.mark.parametrize(
    "changes",
    [{"utilisation": 0}, {"producers": 0}, {"rule": "manual", "producers": 0}, {"rule": "manual", "processors": 0}],
)
def test_a_flow_that_people_have_stopped_is_not_waited_for(
    cluster: Cluster, tmp_path: Path, changes: dict[str, Any]
) -> None:
    cluster.answers["/coordinator/statistics"] = statistics(7, **changes)
    await_all(cluster, tmp_path)


def test_a_flow_that_starts_again_after_a_loss_is_enough(cluster: Cluster, tmp_path: Path) -> None:
    cluster.answers["/coordinator/statistics"] = map(statistics, [None, 9, 2, 2, 3])
    events = await_all(cluster, tmp_path, limit=10)
    assert Progress("ready", "data flows", "2 samples are stored, no more arrived yet") in events


def test_nobody_listens(cluster: Cluster, tmp_path: Path) -> None:
    client(cluster, tmp_path)
    config = tmp_path / "kubeconfig"
    config.write_text(config.read_text().replace(cluster.url, "http://127.0.0.1:1"))
    with pytest.raises(ApiError, match=r"^http://127.0.0.1:1/readyz does not answer: .*Connection refused"):
        Api(config).is_ready()
    with pytest.raises(ApiError, match=r"^list_node of http://127.0.0.1:1 does not answer: .*Connection refused"):
        Api(config).nodes()


def test_a_server_that_speaks_no_tls(cluster: Cluster, tmp_path: Path) -> None:
    client(cluster, tmp_path)
    config = tmp_path / "kubeconfig"
    url = cluster.url.replace("http:", "https:")
    config.write_text(config.read_text().replace(cluster.url, url))
    with pytest.raises(ApiError, match=f"^list_node of {url} does not answer: .*SSL"):
        Api(config).nodes()


@pytest.mark.parametrize("text", ["", "{}", "clusters: ["])
def test_a_file_that_is_no_kubeconfig(tmp_path: Path, text: str) -> None:
    (tmp_path / "kubeconfig").write_text(text)
    with pytest.raises(HostsError, match="is not a valid kubeconfig"):
        Api(tmp_path / "kubeconfig")


def test_the_network_of_own_machines_is_not_looked_for_on_this_machine(tmp_path: Path) -> None:
    declaration = load(DECLARATION).model_copy(update={"network": IPv4Network("10.254.7.0/24")})
    state = State(tmp_path)
    state.create()
    state.kubeconfig.touch()
    with pytest.raises(HostsError, match="does not exist on this machine"):
        kubeconfig(declaration, state)
    assert kubeconfig(own_machines(), state) == kubeconfig(None, state) == state.kubeconfig


def test_status_of_own_machines_asks_no_provider(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    cluster.list("/api/v1/pods", pod("inaetics-queue-controller-9jcpk", "ImagePullBackOff"))
    service = {"type": "LoadBalancer", "clusterIP": "10.3.21.191", "ports": [{"port": 80}]}
    balancer = {"loadBalancer": {"ingress": [{"ip": "172.17.8.20"}]}}
    cluster.list("/api/v1/services", {"metadata": {"name": "viewer"}, "spec": service, "status": balancer})
    state = State(tmp_path)
    state.create()
    client(cluster, state.directory)
    found = get_status(own_machines(), tmp_path / "own.yml", state)
    assert found.problem == ""
    assert {host.name: (host.address, host.state) for host in found.hosts} == {
        name: (address, "own machine") for name, address in ADDRESSES.items()
    }
    assert [(node.name, node.ready) for node in found.nodes] == [(name, True) for name in NODES]
    assert [(one.status, one.ready, one.containers) for one in found.pods] == [("ImagePullBackOff", 0, 1)]
    assert [(one.address, one.external, one.ports) for one in found.services] == [
        ("10.3.21.191", "172.17.8.20", "80/TCP")
    ]
