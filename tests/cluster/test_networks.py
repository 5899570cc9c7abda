"""Packets: between pods of different nodes, to services, and from hosts and workstation to both."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address

import pytest

from runner.declaration.model import Declaration
from tests.support.cluster.pods import NAMESPACE, PORT, Pods, Probe
from tests.support.cluster.workstation import Shell, page
from tests.support.polling import wait_until

RULES = 15.0  # seconds until every kube-proxy has a new service
TRIES = 20  # each goes to either pod: that all go to the same one happens once in 500,000 runs
STANDARD_NODE_PORTS = range(30000, 32768)


@dataclass(frozen=True)
class Service:
    """Both probes behind one address, and behind one port of every host."""

    address: str
    node_port: int


@pytest.fixture(scope="module")
def service(pods: Pods) -> Service:
    """The probes' service."""
    spec = {"type": "NodePort", "selector": {"app": "probe"}, "ports": [{"port": 80, "targetPort": PORT}]}
    made = pods.core.create_namespaced_service(NAMESPACE, {"metadata": {"name": "probes"}, "spec": spec}).spec
    return Service(made.cluster_ip, made.ports[0].node_port)


def test_pods_have_addresses_of_the_pod_network(probes: Sequence[Probe], declaration: Declaration) -> None:
    assert all(IPv4Address(probe.address) in declaration.pod_network for probe in probes)


def test_pods_reach_each_other_across_nodes(pods: Pods, probes: Sequence[Probe]) -> None:
    for one, other in (probes, reversed(probes)):
        output = pods.fetch(one.name, f"http://{other.address}:{PORT}/hostname")
        assert output == other.name


def test_a_service_reaches_both_pods(pods: Pods, probes: Sequence[Probe], service: Service) -> None:
    """From either node, its own pod included: a packet that comes back to its sender must be let in too."""
    names = {one.name for one in probes}
    for probe in probes:
        ask = partial(pods.fetch, probe.name, f"http://{service.address}/hostname")
        wait_until(ask, f"the service answers {probe.name}", seconds=RULES, tolerating=(AssertionError,))
        assert set(pods.fetch(probe.name, f"http://{service.address}/hostname", TRIES).split()) == names


def test_a_network_policy_is_answered_with_a_warning(on: Callable[[str], Shell]) -> None:
    """Nothing enforces it, and who creates one would rely on it."""
    policy = """{"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "deny-all"},
        "spec": {"podSelector": {}}}"""
    said = on("controller").core(f"echo '{policy}' | kubectl create --dry-run=server --filename=- 2>&1")
    assert "does not enforce network policies" in said
    assert "networkpolicy.networking.k8s.io/deny-all created" in said


def test_node_ports_keep_the_standard_range(service: Service) -> None:
    """Conformance expects it, and the demonstrator's ports 80 and 90 do without."""
    assert service.node_port in STANDARD_NODE_PORTS


def test_every_host_answers_at_the_node_port(service: Service, declaration: Declaration) -> None:
    """The controller too, which is no node."""
    for host in declaration.hosts:
        url = f"http://{host.address}:{service.node_port}/hostname"
        output = wait_until(partial(page, url), f"{url} answers", seconds=RULES, tolerating=(OSError,))
        assert output.startswith("probe-")


def test_hosts_reach_pods(on: Callable[[str], Shell], probes: Sequence[Probe]) -> None:
    """The API server speaks to pods from the controller: metrics and webhooks depend on it."""
    for probe in probes:
        output = on("controller").core(f"curl -sS --max-time 5 http://{probe.address}:{PORT}/hostname")
        assert output.strip() == probe.name


def test_large_packets_arrive(pods: Pods, probes: Sequence[Probe]) -> None:
    """With a wrong mtu everything seems to work until somebody sends more than a line."""
    code = (
        "import urllib.request as u;"
        f"print(len(u.urlopen('http://{probes[1].address}:{PORT}/mime.types', timeout=5).read()) > 10000)"
    )
    assert pods.python(probes[0].name, code) == "True"
