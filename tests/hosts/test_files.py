"""Owners and modes of the cluster's files."""

import pytest

from tests.hosts.facts import Facts, File

testinfra_hosts = ["ansible://cluster"]

API = "/etc/kubernetes/apiserver"
MANAGER = "/etc/kubernetes/controller-manager"
SCHEDULER = "/etc/kubernetes/scheduler"

# Every file with a private key or an encryption key, and the one user who can read it.
SECRETS = {
    "cluster": {
        "/etc/flannel/client.key": "root",
        "/etc/kube-proxy/client.key": "root",
    },
    "etcd": {
        "/etc/etcd/peer.key": "etcd",
        "/etc/etcd/root.key": "root",
        "/etc/etcd/server.key": "etcd",
    },
    "control_plane": {
        "/etc/docker-registry/server.key": "docker-registry",
        "/etc/inaetics/kubeconfig": "inaetics",
        f"{API}/encryption.yml": "kube-apiserver",
        f"{API}/etcd-client.key": "kube-apiserver",
        f"{API}/front-proxy-client.key": "kube-apiserver",
        f"{API}/kubelet-client.key": "kube-apiserver",
        f"{API}/server.key": "kube-apiserver",
        f"{API}/service-account.key": "kube-apiserver",
        f"{MANAGER}/client.key": "kube-controller-manager",
        f"{MANAGER}/server.key": "kube-controller-manager",
        f"{MANAGER}/service-account.key": "kube-controller-manager",
        f"{SCHEDULER}/client.key": "kube-scheduler",
        f"{SCHEDULER}/server.key": "kube-scheduler",
        "/etc/kubernetes/admin.kubeconfig": "root",
        "/etc/kubernetes/super-admin.kubeconfig": "root",
        "/home/core/.kube/config": "core",
    },
    "workers": {
        "/etc/kubernetes/kubelet.key": "root",
        "/etc/kubernetes/kubelet-client.key": "root",
    },
}
# What else only its owner enters (CIS 1.1.11, 1.1.12, 4.1.1, 4.1.9).
PRIVATE = {
    "etcd": {"/var/lib/etcd": File("etcd", "0700")},
    "control_plane": {
        "/home/core/.kube": File("core", "0700"),
        "/var/lib/docker-registry": File("docker-registry", "0700"),
        "/var/log/kubernetes": File("kube-apiserver", "0700"),
        "/var/log/kubernetes/audit.log": File("kube-apiserver", "0600"),
    },
    "workers": {
        "/etc/kubernetes/kubelet.kubeconfig": File("root", "0600"),
        "/etc/kubernetes/kubelet.yml": File("root", "0600"),
        "/etc/systemd/system/kubelet.service": File("root", "0600"),
    },
}
USERS = {
    "cluster": ("core", "nobody"),
    "control_plane": (
        "etcd",
        "docker-registry",
        "inaetics",
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
    ),
}


@pytest.fixture(scope="module")
def secrets(facts: Facts) -> dict[str, str]:
    """The secrets that belong on this host, with their owners."""
    return {path: owner for group in facts.groups for path, owner in SECRETS.get(group, {}).items()}


def test_no_secret_is_where_it_does_not_belong(facts: Facts, secrets: dict[str, str]) -> None:
    """A copy of a key that nobody knows of is a key that nobody guards."""
    assert facts.secrets == sorted(secrets)


def test_secrets_are_for_their_owners_alone(facts: Facts, secrets: dict[str, str]) -> None:
    """A key that another can read is another's key too (CIS 1.1.13 to 1.1.21, 4.1.5)."""
    assert facts.stat(*secrets) == {path: File(owner, "0600") for path, owner in secrets.items()}


def test_nobody_else_can_read_them(facts: Facts, secrets: dict[str, str]) -> None:
    """The same, tried: access lists or an open mount would show here and not in the modes."""
    users = [user for group in facts.groups for user in USERS.get(group, ())]
    assert {user: facts.readers(user, sorted(secrets)) for user in users} == {
        user: sorted(path for path, owner in secrets.items() if owner == user) for user in users
    }


def test_configuration_is_roots_to_write(facts: Facts) -> None:
    """A service that can rewrite its own configuration or its authority's certificate can undo its own limits."""
    ours = {path for paths in SECRETS.values() for path in paths} | {f"{MANAGER}/kubeconfig", f"{SCHEDULER}/kubeconfig"}
    files = {path: file for path, file in facts.files.items() if path not in ours}
    assert not {path: file for path, file in files.items() if file.owner != "root" or int(file.mode, 8) & 0o022}


def test_directories_of_data_are_closed(facts: Facts) -> None:
    """Below them is all that the cluster knows; and the kubelet's settings are root's (CIS 4.1)."""
    expected = {path: file for group in facts.groups for path, file in PRIVATE.get(group, {}).items()}
    assert facts.stat(*expected) == expected
