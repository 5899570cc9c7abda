"""The control plane's flags as they run, and what the controller gives to people."""

import pytest
from kubernetes.utils.quantity import parse_quantity

from tests.hosts.facts import Facts

testinfra_hosts = ["ansible://control_plane"]

API, MANAGER, SCHEDULER = "kube-apiserver", "kube-controller-manager", "kube-scheduler"

# The recommendations of the CIS Kubernetes Benchmark 1.12 that a flag can meet, and what else must hold.
FLAGS = [
    (API, "--anonymous-auth", "false", "1.2.1"),
    (API, "--enable-admission-plugins", "DenyServiceExternalIPs", "1.2.3"),
    (API, "--kubelet-client-certificate", "{kube_master_config_dir}/apiserver/kubelet-client.crt", "1.2.4"),
    (API, "--kubelet-client-key", "{kube_master_config_dir}/apiserver/kubelet-client.key", "1.2.4"),
    (API, "--kubelet-certificate-authority", "{kube_master_config_dir}/ca.crt", "1.2.5"),
    (API, "--authorization-mode", "Node", "1.2.7"),
    (API, "--authorization-mode", "RBAC", "1.2.8"),
    (API, "--enable-admission-plugins", "NodeRestriction", "1.2.14"),
    (API, "--profiling", "false", "1.2.15"),
    (API, "--audit-log-path", "{kube_master_audit_log}", "1.2.16"),
    (API, "--audit-log-maxage", "{kube_master_audit_max_age_days}", "1.2.17"),
    (API, "--audit-log-maxbackup", "{kube_master_audit_max_backups}", "1.2.18"),
    (API, "--audit-log-maxsize", "{kube_master_audit_max_size_mib}", "1.2.19"),
    (API, "--service-account-lookup", "true", "1.2.21"),
    (API, "--service-account-key-file", "{kube_master_config_dir}/apiserver/service-account.pub", "1.2.22"),
    (API, "--etcd-certfile", "{kube_master_config_dir}/apiserver/etcd-client.crt", "1.2.23"),
    (API, "--tls-cert-file", "{kube_master_config_dir}/apiserver/server.crt", "1.2.24"),
    (API, "--client-ca-file", "{kube_master_config_dir}/ca.crt", "1.2.25"),
    (API, "--etcd-cafile", "{kube_master_config_dir}/etcd-ca.crt", "1.2.26"),
    (API, "--encryption-provider-config", "{kube_master_config_dir}/apiserver/encryption.yml", "1.2.27"),
    (API, "--tls-min-version", "{cluster_tls_min_version}", "1.2.29"),
    (API, "--service-account-extend-token-expiration", "false", "1.2.30"),
    (API, "--audit-policy-file", "{kube_master_config_dir}/apiserver/audit-policy.yml", "3.2.1"),
    (API, "--default-unreachable-toleration-seconds", "{kube_master_eviction_seconds}", "as declared"),
    (API, "--default-not-ready-toleration-seconds", "{kube_master_eviction_seconds}", "as declared"),
    (MANAGER, "--terminated-pod-gc-threshold", "100", "1.3.1"),
    (MANAGER, "--profiling", "false", "1.3.2"),
    (MANAGER, "--use-service-account-credentials", "true", "1.3.3"),
    (
        MANAGER,
        "--service-account-private-key-file",
        "{kube_master_config_dir}/controller-manager/service-account.key",
        "1.3.4",
    ),
    (MANAGER, "--root-ca-file", "{kube_master_config_dir}/ca.crt", "1.3.5"),
    (MANAGER, "--bind-address", "127.0.0.1", "1.3.7"),
    (MANAGER, "--node-monitor-grace-period", "{kube_master_node_monitor_grace_period}", "as declared"),
    (SCHEDULER, "--profiling", "false", "1.4.1"),
    (SCHEDULER, "--bind-address", "127.0.0.1", "1.4.2"),
]
# Flags that must not be there at all, or only without a value that undoes the rest.
ABSENT = [
    (API, "--token-auth-file", "1.2.2"),
    (API, "--basic-auth-file", "passwords in a file"),
    (API, "--insecure-port", "the original demonstrator's API without a key"),
    (API, "--disable-admission-plugins", "1.2.12, 1.2.13"),
    (API, "--service-node-port-range", "the range stays Kubernetes' own"),
    (MANAGER, "--cluster-signing-key-file", "certificates are signed on the workstation"),
]
WEAK = ("CBC", "RC4", "3DES", "TLS_RSA_")


@pytest.mark.parametrize(("process", "flag", "value", "reason"), FLAGS)
def test_flag_is_set(facts: Facts, process: str, flag: str, value: str, reason: str) -> None:
    """The benchmark's settings count in the running process, not in a file."""
    assert facts.fill(value) in _values(facts, process, flag), reason


@pytest.mark.parametrize(("process", "flag", "reason"), ABSENT)
def test_flag_is_absent(facts: Facts, process: str, flag: str, reason: str) -> None:
    """Some doors are closed by not being there."""
    assert not _values(facts, process, flag), reason


@pytest.mark.parametrize("process", [API, MANAGER, SCHEDULER])
def test_ciphers_keep_the_past_secret(facts: Facts, process: str) -> None:
    """Forward secrecy and authenticated encryption: a key stolen later opens nothing recorded before (CIS 1.2.29)."""
    ciphers = _values(facts, process, "--tls-cipher-suites")
    assert ciphers
    assert not [cipher for cipher in ciphers for weak in WEAK if weak in cipher]


def test_core_has_kubectl(facts: Facts) -> None:
    """The original demonstrator's `core@controller ~ $ kubectl get nodes`, in a login shell and in a bare one."""
    names = sorted(f"node/{one['cluster_address']}" for one in facts.nodes.values())
    shells = ["runuser --login {cluster_user} --command", "runuser --user {cluster_user} -- sh -c"]
    # The bare one gets its PATH from the user who runs this, whom a guest does not choose.
    for shell in map(facts.fill, shells if facts.owned else shells[:1]):
        assert sorted(facts.output(f"{shell} 'kubectl get nodes --output=name'").split()) == names


def test_controller_is_no_node(facts: Facts) -> None:
    """Pods on the host of the keys would be one escape away from all of them."""
    shown = facts.output("systemctl show --property=LoadState --value kubelet.service containerd.service")
    assert set(shown.split()) == {"not-found"}


def test_nodes_offer_what_was_declared(facts: Facts) -> None:
    """A local host sees the whole workstation; the scheduler must not."""
    listed = facts.json(f"{facts.kubectl} get nodes --output=json")["items"]
    offered = {node["metadata"]["name"]: node["status"]["allocatable"] for node in listed}
    assert {name: (one["cpu"], parse_quantity(one["memory"])) for name, one in offered.items()} == {
        one["cluster_address"]: (str(one["cluster_cpus"]), one["cluster_memory_mib"] * 2**20)
        for one in facts.nodes.values()
    }


def test_admission_and_storage_are_healthy(facts: Facts) -> None:
    """Every check of the API server's own list, by name, so that a failure has its name."""
    output = facts.output(f"{facts.kubectl} get --raw '/readyz?verbose'")
    assert [line for line in output.splitlines() if line.startswith("[-]")] == []
    assert "readyz check passed" in output


@pytest.mark.parametrize("unit", [MANAGER, SCHEDULER])
def test_who_needs_the_api_began_when_it_was_ready(facts: Facts, unit: str) -> None:
    """One that began earlier was refused, and went on without knowing whose questions it may answer."""
    invocation = facts.output(f"systemctl show --property=InvocationID --value {unit}.service")
    log = facts.output(f"journalctl --no-pager _SYSTEMD_INVOCATION_ID={invocation}")
    assert "Starting" in log
    assert "Continuing without authentication configuration" not in log


def _values(facts: Facts, process: str, flag: str) -> list[str]:
    words = facts.commands[f"{process}.service"]
    return [value for word in words if word.startswith(f"{flag}=") for value in word.split("=", 1)[1].split(",")]
