"""For each role: the roles and hosts that it needs, and the tests of tests/hosts that concern it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

CONTROLLER, NODE = "controller", "node-1"
BOTH = (CONTROLLER, NODE)


@dataclass(frozen=True)
class Scenario:
    """A role on its own hosts.

    `tests` are pytest's names below tests/hosts; of test_services.py those of the role's units run. `without` names
    tests of these files that look at another role's work, with the reason.
    """

    role: str
    needs: tuple[str, ...]
    hosts: tuple[str, ...]
    units: tuple[str, ...]
    tests: tuple[str, ...]
    without: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


SCENARIOS = {
    scenario.role: scenario
    for scenario in (
        Scenario("host", needs=(), hosts=BOTH, units=(), tests=("test_host.py",)),
        Scenario(
            "etcd",
            needs=("host",),
            hosts=(CONTROLLER,),
            units=("etcd",),
            tests=(
                "test_etcd.py",
                "test_network.py::test_etcd_listens_for_clients_on_two_addresses_only",
                "test_network.py::test_inner_ports_are_on_loopback_alone",
            ),
            without={
                "test_etcd.py::test_every_host_has_a_lease_of_flannels": "flannel's",
                "test_etcd.py::test_flannel_reads_its_own_and_nothing_else": "flannel's",
                "test_etcd.py::test_nobody_comes_in_without_a_certificate_of_etcds_authority": "kube-master's",
                "test_etcd.py::test_secrets_are_encrypted_at_rest": "kube-master's",
                "test_etcd.py::test_the_api_server_reads_its_own_and_nothing_else": "kube-master's",
            },
        ),
        Scenario(
            "flannel",
            needs=("host", "etcd"),
            hosts=BOTH,
            units=("flanneld",),
            tests=(
                "test_flannel.py",
                "test_containerd.py::test_cni_list_is_made_of_the_lease",
                "test_containerd.py::test_cni_list_is_the_only_one",
                "test_etcd.py::test_every_host_has_a_lease_of_flannels",
                "test_etcd.py::test_flannel_reads_its_own_and_nothing_else",
                "test_restart.py::test_flanneld_keeps_its_lease",
            ),
        ),
        Scenario(
            "docker-registry",
            needs=("host",),
            hosts=(CONTROLLER,),
            units=("docker-registry",),
            tests=("test_docker_registry.py", "test_restart.py::test_registry_comes_back"),
        ),
        Scenario(
            "kube-master",
            needs=("host", "etcd"),
            hosts=(CONTROLLER,),
            units=("kube-apiserver", "kube-controller-manager", "kube-scheduler"),
            tests=(
                "test_kube_master.py",
                "test_audit.py",
                "test_etcd.py::test_nobody_comes_in_without_a_certificate_of_etcds_authority",
                "test_etcd.py::test_secrets_are_encrypted_at_rest",
                "test_etcd.py::test_the_api_server_reads_its_own_and_nothing_else",
            ),
            without={
                "test_kube_master.py::test_core_has_kubectl": "kube-node's",
                "test_kube_master.py::test_nodes_offer_what_was_declared": "kube-node's",
            },
        ),
        Scenario(
            "kube-node",
            needs=("host", "etcd", "flannel", "docker-registry", "kube-master"),
            hosts=BOTH,
            units=("containerd", "kubelet"),
            tests=(
                "test_kubelet.py",
                "test_containerd.py",
                "test_kube_master.py::test_core_has_kubectl",
                "test_kube_master.py::test_nodes_offer_what_was_declared",
                "test_network.py::test_kubelets_read_only_port_is_closed",
            ),
        ),
        # On a host without a Node kube-proxy waits half a minute for it: so the nodes have to be there.
        Scenario(
            "kube-proxy",
            needs=("host", "etcd", "kube-master", "kube-node"),
            hosts=BOTH,
            units=("kube-proxy",),
            tests=("test_kube_proxy.py",),
            without={"test_kube_proxy.py::test_has_rules_for_the_api_and_for_names": "the name service's pods"},
        ),
        Scenario(
            "inaetics-app",
            needs=("host", "etcd", "flannel", "docker-registry", "kube-master", "kube-node", "kube-proxy"),
            hosts=BOTH,
            units=("inaetics",),
            tests=("test_inaetics_app.py",),
        ),
    )
}
