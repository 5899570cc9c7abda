"""kubelet: lets in only whom the API server vouches for, and is named by its address."""

import pytest

from tests.hosts.facts import Facts

testinfra_hosts = ["ansible://workers"]
pytestmark = pytest.mark.journal("kubelet.service")

# Keys of kubelet.yml, with the recommendation of the CIS Kubernetes Benchmark 1.12 or the reason.
SETTINGS = [
    ("authentication.anonymous.enabled", False, "4.2.1"),
    ("authorization.mode", "Webhook", "4.2.2"),
    ("authentication.webhook.enabled", True, "4.2.2"),
    ("authentication.x509.clientCAFile", "{kube_node_config_dir}/ca.crt", "4.2.3"),
    ("readOnlyPort", 0, "4.2.4"),
    ("streamingConnectionIdleTimeout", "4h", "4.2.5"),
    ("makeIPTablesUtilChains", True, "4.2.6"),
    ("eventRecordQPS", 50, "4.2.8"),
    ("tlsCertFile", "{kube_node_config_dir}/kubelet.crt", "4.2.9"),
    ("tlsPrivateKeyFile", "{kube_node_config_dir}/kubelet.key", "4.2.9"),
    ("tlsMinVersion", "{cluster_tls_min_version}", "4.2.12"),
    ("podPidsLimit", "{kube_node_pod_pids_limit}", "4.2.13"),
    ("seccompDefault", True, "4.2.14"),
    ("cgroupDriver", "systemd", "two masters of one cgroup tree would fight"),
    ("nodeStatusUpdateFrequency", "{kube_node_status_update_frequency}", "as declared"),
    ("clusterDomain", "{cluster_domain}", "the names that the original demonstrator's parts call each other"),
    ("containerRuntimeEndpoint", "unix:///run/containerd/containerd.sock", "the unit containerd.service"),
]


@pytest.fixture(scope="module")
def settings(facts: Facts) -> dict[str, object]:
    """kubelet.yml, flattened: a key's path to its value."""
    return dict(_flat("", facts.yaml(facts.fill("{kube_node_config_dir}/kubelet.yml"))))


@pytest.mark.parametrize(("key", "value", "reason"), SETTINGS)
def test_setting(facts: Facts, settings: dict[str, object], key: str, value: object, reason: str) -> None:
    """The file's settings; tests/cluster asks the running kubelet for the same."""
    assert str(settings.get(key)) == facts.fill(str(value)), reason


def test_is_named_by_address(facts: Facts) -> None:
    """`kubectl get nodes` lists 172.17.8.31, as in the original demonstrator."""
    words = facts.commands["kubelet.service"]
    assert {f"--hostname-override={facts.address}", f"--node-ip={facts.address}"} <= set(words)


def test_flags_do_not_undo_the_file(facts: Facts) -> None:
    """A flag wins over the file, so no flag may set the same."""
    flags = {word.split("=")[0] for word in facts.commands["kubelet.service"][1:]}
    assert flags == {"--config", "--kubeconfig", "--hostname-override", "--node-ip"}


def test_strangers_are_refused(facts: Facts) -> None:
    """A client that a kubelet accepts may run commands in its pods (CIS 4.2.1)."""
    asked = facts.fill("curl -sS --cacert {kube_node_config_dir}/ca.crt https://{cluster_address}:10250/pods")
    assert facts.output(f"{asked} --write-out ' %{{http_code}}'").endswith(" 401")


def test_etcd_does_not_know_a_node(facts: Facts) -> None:
    """A node's certificates are Kubernetes': etcd must end the handshake, or a node could read every Secret."""
    node = "--cert {kube_node_config_dir}/kubelet.crt --key {kube_node_config_dir}/kubelet.key"
    etcd = "--cacert {flannel_config_dir}/etcd-ca.crt {cluster_etcd_url}/health"
    facts.refused(facts.fill(f"curl -sS --max-time 5 {node} {etcd}"))


def _flat(prefix: str, value: object) -> list[tuple[str, object]]:
    if isinstance(value, dict):
        return [pair for key, inner in value.items() for pair in _flat(f"{prefix}.{key}" if prefix else key, inner)]
    return [(prefix, value)]
