"""The client of the Kubernetes API: servers that do not answer, files that are no kubeconfig, machines of one's own."""

from ipaddress import IPv4Network
from pathlib import Path

import pytest

from runner.cluster import get_status
from runner.cluster.api import Api, ApiError, kubeconfig
from runner.declaration.model import load
from runner.errors import HostsError
from runner.state import DECLARATION, State
from tests.support.kubernetes_api import NODES, Cluster, client, pod
from tests.support.own_machines import ADDRESSES, own_machines


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
