"""The provisioning server on the cluster: what people change outlives its pod, and nobody else changes anything."""

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from demonstrator.provisioning.pack import pack
from runner.declaration.model import Declaration
from runner.state import State
from tests.support.cluster.pods import CoreApi
from tests.support.polling import wait_until

NAME, VERSION, TARGET = "cluster-test", "1.0.0", "felix_4"
SELECTOR = "name=ace-provisioning-pod"
AGAIN = 60.0  # seconds until a pod has a successor that answers

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Provisioning:
    """Requests to the server, with the token."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self.token = token

    def ask(self, method: str, path: str, body: bytes | None = None) -> Any:
        """The JSON of an answer."""
        headers = {"Authorization": f"Bearer {self.token}"}
        request = urllib.request.Request(self.url + path, body, headers, method=method)  # noqa: S310 - a constant
        with _direct.open(request, timeout=10) as answer:
            text = answer.read()
        return json.loads(text) if text else None


@pytest.fixture
def server(declaration: Declaration, state: Path) -> Provisioning:
    """The server at the controller's address."""
    token = State().provisioning_token.read_text("utf-8")
    return Provisioning(f"http://{declaration.controller.address}:90", token)


@pytest.fixture
def uploaded(server: Provisioning, tmp_path: Path) -> Iterator[str]:
    """A bundle that does nothing; its digest. Afterwards the target is as it was."""
    manifest = {"name": NAME, "version": VERSION, "module": "cluster_test", "description": "", "imports": []}
    (tmp_path / "bundle.json").write_text(json.dumps(manifest), "utf-8")
    (tmp_path / "__init__.py").write_text("", "utf-8")
    yield server.ask("POST", "/bundles", pack(tmp_path)[1])["digest"]
    for path in (f"/targets/{TARGET}/rollback", f"/bundles/{NAME}/{VERSION}"):
        server.ask("POST" if path.endswith("rollback") else "DELETE", path)


def running(server: Provisioning) -> bool:
    """Return whether an agent reports that it runs the bundle."""
    heard = server.ask("GET", "/agents").values()
    return any(
        bundle == {"name": NAME, "version": VERSION, "state": "running"}
        for agent in heard
        for bundle in agent["report"]["bundles"]
    )


def test_what_people_change_outlives_the_servers_pod(server: Provisioning, uploaded: str, core: CoreApi) -> None:
    server.ask("PUT", f"/targets/{TARGET}/bundles/{NAME}", json.dumps({"version": VERSION}).encode())
    wait_until(lambda: running(server), "an agent runs it", seconds=AGAIN)
    before = server.ask("GET", "/targets")
    (old,) = (pod.metadata.name for pod in core.list_namespaced_pod("default", label_selector=SELECTOR).items)
    core.delete_namespaced_pod(old, "default")

    def succeeded() -> bool:
        pods = core.list_namespaced_pod("default", label_selector=SELECTOR).items
        return old not in {pod.metadata.name for pod in pods} and running(server)

    wait_until(succeeded, "its successor knows the agents again", seconds=AGAIN, tolerating=(OSError,))
    assert server.ask("GET", "/targets") == before
    assert uploaded in {bundle["digest"] for bundle in before[TARGET]["bundles"]}


def test_the_token_is_in_no_log_and_not_in_the_cluster(server: Provisioning, core: CoreApi) -> None:
    for pod in core.list_namespaced_pod("default").items:
        assert server.token not in core.read_namespaced_pod_log(pod.metadata.name, "default")
    for secret in core.list_secret_for_all_namespaces().items:
        for value in (secret.data or {}).values():
            assert server.token.encode() not in base64.b64decode(value)


@pytest.mark.parametrize("token", ["", "of somebody else's"])
def test_without_the_token_nothing_changes(server: Provisioning, token: str) -> None:
    stranger = Provisioning(server.url, token)
    before = server.ask("GET", "/targets")
    for method, path in (("POST", "/bundles"), ("POST", f"/targets/{TARGET}/rollback")):
        with pytest.raises(urllib.error.HTTPError) as refused:
            stranger.ask(method, path, b"")
        assert refused.value.code == 401
        refused.value.close()
    assert server.ask("GET", "/targets") == before
