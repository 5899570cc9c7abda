"""Open ports: those of the table below, and no others."""

from tests.hosts.facts import Facts

testinfra_hosts = ["ansible://cluster"]

EVERY_HOST = {("tcp", 22, "sshd"), ("udp", 8472, "")}  # 8472 is flannel's, and the kernel's own
OPEN = {
    "control_plane": {("tcp", 2379, "etcd"), ("tcp", 5000, "registry"), ("tcp", 6443, "kube-apiserver")},
    "workers": {("tcp", 10250, "kubelet")},
}
# A virtual machine's box asks for the address of its other interface by DHCP.
ALLOWED = {("udp", 68, "dhclient"), ("udp", 68, "systemd-network")}

# Initiator port, the only address that a service may listen on.
LOOPBACK = {
    "etcd's peers, of which there are none": 2380,
    "etcd's metrics": 2381,
    "flanneld's health": 8471,
    "kubelet's health": 10248,
    "kube-proxy's metrics": 10249,
    "kube-proxy's health": 10256,
    "kube-controller-manager": 10257,
    "kube-scheduler": 10259,
}


def test_nothing_but_the_table_is_reachable(facts: Facts) -> None:
    """Each open port is a way in: it has to be in the table."""
    expected = EVERY_HOST.union(*(OPEN.get(group, set()) for group in facts.groups))
    assert facts.open - ALLOWED == expected


def test_inner_ports_are_on_loopback_alone(facts: Facts) -> None:
    """Metrics, health and etcd's peers ask nobody for a certificate, or have nobody else to talk to."""
    elsewhere = {
        (reason, one.address)
        for reason, port in LOOPBACK.items()
        for one in facts.listeners
        if one.port == port and one.address != "127.0.0.1"
    }
    assert not elsewhere


def test_etcd_listens_for_clients_on_two_addresses_only(facts: Facts) -> None:
    """etcd holds everything: it must not be offered on the interface that leads out of the cluster."""
    expected = {"127.0.0.1", facts.address} if "etcd" in facts.groups else set()
    assert {one.address for one in facts.listeners if one.port == 2379} == expected


def test_kubelets_read_only_port_is_closed(facts: Facts) -> None:
    """Port 10255 tells everybody, unasked, what runs on a node (CIS 4.2.4)."""
    assert 10255 not in {one.port for one in facts.listeners}
