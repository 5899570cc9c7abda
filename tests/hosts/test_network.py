"""Open ports: those of the table below, and no others; on a machine of one's own, other programs' are its owner's."""

from urllib.parse import urlsplit

from tests.hosts.facts import Facts, Listener

testinfra_hosts = ["ansible://cluster"]

# By group: protocol, process and a URL with the port.
OPEN = {
    "cluster": {("udp", "", "//:{flannel_vxlan_port}")},  # the kernel's own
    "control_plane": {
        ("tcp", "etcd", "{cluster_etcd_url}"),
        ("tcp", "registry", "//{cluster_registry}"),
        ("tcp", "kube-apiserver", "{cluster_api_url}"),
    },
    "workers": {("tcp", "kubelet", "//:10250")},
}
SSH = ("tcp", 22, "sshd")
# A virtual machine's box asks for the address of its other interface by DHCP.
ALLOWED = {("udp", 68, "dhclient"), ("udp", 68, "systemd-network")}
# As the kernel names them, with 15 characters.
CLUSTERS = {
    "containerd",
    "etcd",
    "flanneld",
    "kube-apiserver",
    "kube-controller",
    "kube-proxy",
    "kube-scheduler",
    "kubelet",
    "registry",
}

# Inner ports, with 127.0.0.1 as the only address that a service may listen on.
LOOPBACK = {
    "etcd's peers, of which there are none": "//:2380",
    "etcd's metrics": "{etcd_metrics_url}",
    "flanneld's health": "//:8471",
    "kubelet's health": "//:10248",
    "kube-proxy's metrics": "//:10249",
    "kube-proxy's health": "//:10256",
    "kube-controller-manager": "//:10257",
    "kube-scheduler": "//:10259",
}


def test_nothing_but_the_table_is_reachable(facts: Facts) -> None:
    """Each open port is a way in: it has to be in the table."""
    rows = [row for group in facts.groups for row in OPEN.get(group, ())]
    expected = {(protocol, _port(facts, url), process) for protocol, process, url in rows}
    assert expected <= facts.open
    others = facts.open - expected - ALLOWED
    if facts.owned:
        assert others == {SSH}
    else:
        assert not {one for one in others if one[2] in CLUSTERS}


def test_inner_ports_are_on_loopback_alone(facts: Facts) -> None:
    """Metrics, health and etcd's peers ask nobody for a certificate, or have nobody else to talk to."""
    elsewhere = {
        (reason, one.address)
        for reason, url in LOOPBACK.items()
        for one in _listeners(facts)
        if one.port == _port(facts, url) and one.address != "127.0.0.1"
    }
    assert not elsewhere


def test_etcd_listens_for_clients_on_two_addresses_only(facts: Facts) -> None:
    """etcd holds everything: it must not be offered on the interface that leads out of the cluster."""
    port = _port(facts, "{cluster_etcd_url}")
    expected = {"127.0.0.1", facts.address} if "etcd" in facts.groups else set()
    assert {one.address for one in _listeners(facts) if one.port == port} == expected


def test_kubelets_read_only_port_is_closed(facts: Facts) -> None:
    """Port 10255 tells everybody, unasked, what runs on a node (CIS 4.2.4)."""
    assert 10255 not in {one.port for one in _listeners(facts)}


def _port(facts: Facts, url: str) -> int:
    port = urlsplit(facts.fill(url)).port
    assert port
    return port


def _listeners(facts: Facts) -> list[Listener]:
    """Return what listens and can be the cluster's."""
    return [one for one in facts.listeners if facts.owned or one.process in CLUSTERS]
