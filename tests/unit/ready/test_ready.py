"""runner/ready and runner/api ask a real HTTP server on loopback that speaks just enough of the Kubernetes API."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from runner.cluster import api as api_module
from runner.cluster.api import Api, ApiError
from runner.cluster.ready import conditions, poll
from runner.errors import NotReadyError
from runner.events import Event, Progress

NODES = ("172.17.8.31", "172.17.8.32")


def node(name: str, ready: bool = True) -> dict[str, Any]:
    condition = {"type": "Ready", "status": "True" if ready else "False", "message": "container runtime is down"}
    return {"metadata": {"name": name}, "status": {"conditions": [condition]}}


def replicas(name: str, wanted: int, ready: int) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"replicas": wanted}, "status": {"readyReplicas": ready}}


def pod(name: str, reason: str) -> dict[str, Any]:
    status = {"phase": "Pending", "containerStatuses": [{"ready": False, "state": {"waiting": {"reason": reason}}}]}
    return {"metadata": {"name": name}, "spec": {"containers": [{}]}, "status": status}


@dataclass
class Cluster:
    """What the server answers, by path: JSON, text, or a status; a test changes it while it runs."""

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
            if answer == "hang":
                cluster.hang.wait()
                return
            status = answer if isinstance(answer, int) else 200
            body = answer if isinstance(answer, str) else json.dumps(answer)
            self.send_response(status)
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
    cluster.answers = {"/readyz": "ok", "/": "<html>", "/coordinator/statistics": {"stored": 1}}
    cluster.list("/api/v1/nodes", *map(node, NODES))
    cluster.list(f"{system}/deployments", replicas("coredns", 2, 2), replicas("metrics-server", 1, 0))
    cluster.list("/api/v1/namespaces/kube-system/pods")
    endpoint = {"addresses": ["10.1.3.4"], "conditions": {"ready": True}}
    path = "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices"
    cluster.list(path, {"endpoints": [endpoint]})
    cluster.list(f"{core}/replicationcontrollers", replicas("inaetics-queue-controller", 1, 1))
    cluster.list(f"{core}/pods")
    with serve(cluster):
        yield cluster


def client(cluster: Cluster, directory: Path) -> Api:
    kubeconfig = directory / "kubeconfig"
    document = {
        "clusters": [{"name": "c", "cluster": {"server": cluster.url}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    kubeconfig.write_text(yaml.safe_dump(document))
    return Api(kubeconfig)


def await_all(cluster: Cluster, directory: Path, limit: float = 0.2) -> list[Event]:
    events: list[Event] = []
    poll(conditions(client(cluster, directory), NODES, cluster.url, cluster.url), events.append, limit)
    return events


def test_ready_cluster_is_seen_at_once_and_every_condition_named(cluster: Cluster, tmp_path: Path) -> None:
    started = time.monotonic()
    events = await_all(cluster, tmp_path)
    assert time.monotonic() - started < 2
    assert [event.item for event in events if isinstance(event, Progress) and event.finished] == [
        "API answers",
        "nodes ready",
        "names resolve",
        "replication controllers full",
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
    await_all(cluster, tmp_path)


def test_waits_until_a_condition_holds(cluster: Cluster, tmp_path: Path) -> None:
    cluster.list("/api/v1/nodes", node(NODES[0]))
    timer = threading.Timer(0.5, lambda: cluster.list("/api/v1/nodes", *map(node, NODES)))
    timer.start()
    events = await_all(cluster, tmp_path, limit=10)
    timer.join()
    assert Progress("ready", "nodes ready", "172.17.8.32 has not registered") in events
    assert Progress("ready", "nodes ready", "yes", finished=True) in events


@pytest.mark.parametrize(
    ("path", "answer", "told"),
    [
        ("/readyz", 500, "API answers: {url}/readyz answers 500 Internal Server Error: 500"),
        ("/readyz", "hang", "API answers: {url}/readyz does not answer: Read timed out. (read timeout=0.3)."),
        ("/api/v1/nodes", {"items": [node(NODES[0], ready=False)]}, "nodes ready: 172.17.8.32 has not registered; "),
        ("/api/v1/nodes", "<html>", "nodes ready: /api/v1/nodes answers no list: <html>"),
        ("/api/v1/nodes", {"kind": "Status"}, "nodes ready: /api/v1/nodes answers no list: "),
        ("/apis/apps/v1/namespaces/kube-system/deployments", {"items": []}, "names resolve: there is no CoreDNS"),
        (
            "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices",
            {"items": [{"endpoints": None}]},
            "names resolve: kube-dns has no endpoint",
        ),
        ("/", 503, "page answers: {url}/ answers 503 Service Unavailable"),
        ("/coordinator/statistics", "<html>", "data flows: {url}/coordinator/statistics answers no JSON: '<html>'"),
        ("/coordinator/statistics", "hang", "data flows: {url}/coordinator/statistics does not answer: timed out"),
    ],
)
def test_what_is_unmet_is_named_with_what_was_seen(
    cluster: Cluster, tmp_path: Path, path: str, answer: Any, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_module, "READ", 0.3)
    monkeypatch.setattr("runner.cluster.ready.PAGE_TIMEOUT", 0.3)
    cluster.answers[path] = answer
    with pytest.raises(NotReadyError) as caught:
        await_all(cluster, tmp_path)
    assert told.format(url=cluster.url) in caught.value.message
    assert "python -m runner status" in caught.value.remedy


def test_short_replication_controller_names_its_pods_reasons(cluster: Cluster, tmp_path: Path) -> None:
    core = "/api/v1/namespaces/default"
    cluster.list(f"{core}/replicationcontrollers", replicas("inaetics-queue-controller", 1, 0))
    cluster.list(f"{core}/pods", pod("inaetics-queue-controller-9jcpk", "ImagePullBackOff"))
    with pytest.raises(NotReadyError) as caught:
        await_all(cluster, tmp_path)
    assert "inaetics-queue-controller 0/1 (inaetics-queue-controller-9jcpk ImagePullBackOff)" in caught.value.message


def test_nobody_listens(cluster: Cluster, tmp_path: Path) -> None:
    client(cluster, tmp_path)
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(kubeconfig.read_text().replace(cluster.url, "http://127.0.0.1:1"))
    with pytest.raises(ApiError, match=r"^http://127.0.0.1:1/readyz does not answer: .*Connection refused"):
        Api(kubeconfig).text("/readyz")
