"""An HTTP server on loopback that speaks just enough of the Kubernetes API."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

from runner.cluster.api import Api

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
