"""The pod network: a lease for each host and a way to every other."""

from ipaddress import IPv4Network

import pytest

from tests.hosts.facts import Facts

testinfra_hosts = ["ansible://cluster"]
pytestmark = pytest.mark.journal("flanneld.service")

DEVICE = "flannel.{flannel_vxlan_vni}"


def test_lease_lies_in_the_declared_network(facts: Facts) -> None:
    """Pods with addresses from elsewhere would answer to nobody."""
    assert str(facts.lease.network) == facts.variables["cluster_pod_network"]
    assert facts.lease.subnet.subnet_of(facts.lease.network)
    assert facts.lease.subnet.prefixlen == 24


def test_share_is_named_by_the_address(facts: Facts) -> None:
    """Hosts that join at once must not choose the same share; and a pod's address tells its node."""
    addresses = [one["cluster_address"].rsplit(".", 1) for one in facts.neighbours.values()]
    if not facts.variables["cluster_pod_network"].endswith("/16") or len({network for network, _ in addresses}) > 1:
        pytest.skip("the networks leave the choice to flannel")
    share = f"{facts.variables['cluster_pod_network'].rsplit('.', 2)[0]}.{facts.address.rsplit('.', 1)[1]}.0/24"
    assert str(facts.lease.subnet) == share


def test_vxlan_is_on_the_private_network(facts: Facts) -> None:
    """On the interface that leads out, pods of different hosts would never meet."""
    link = facts.json(facts.fill(f"ip -json -details link show {DEVICE}"))[0]
    vxlan = link["linkinfo"]["info_data"]
    assert (vxlan["local"], vxlan["id"], vxlan["port"]) == (
        facts.address,
        facts.variables["flannel_vxlan_vni"],
        facts.variables["flannel_vxlan_port"],
    )
    assert link["mtu"] == facts.lease.mtu
    assert "UP" in link["flags"]


def test_every_other_host_has_a_route(facts: Facts) -> None:
    """One missing route is a pair of nodes whose pods do not reach each other."""
    others = {
        dst
        for dst, route in facts.routes.items()
        if route["dev"] == facts.fill(DEVICE) and IPv4Network(dst).subnet_of(facts.lease.network)
    }
    assert len(others) == len(facts.neighbours) - 1
    assert str(facts.lease.subnet) not in others


def test_is_healthy(facts: Facts) -> None:
    """flanneld's own word, which a monitor would ask for."""
    assert facts.output("curl -sS http://127.0.0.1:8471/healthz") == "flanneld is running"
