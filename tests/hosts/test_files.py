"""Owners and modes of the cluster's files."""

import pytest

from tests.hosts.facts import Facts, File

testinfra_hosts = ["ansible://cluster"]

API = "{kube_master_config_dir}/apiserver"
MANAGER = "{kube_master_config_dir}/controller-manager"
SCHEDULER = "{kube_master_config_dir}/scheduler"

# Every file with a private key or an encryption key, and the one user who can read it.
SECRETS = {
    "cluster": {
        "{flannel_config_dir}/client.key": "root",
        "{kube_proxy_config_dir}/client.key": "root",
    },
    "etcd": {
        "{etcd_config_dir}/peer.key": "etcd",
        "{etcd_config_dir}/root.key": "root",
        "{etcd_config_dir}/server.key": "etcd",
    },
    "control_plane": {
        "{docker_registry_config_dir}/server.key": "docker-registry",
        "{inaetics_app_config_dir}/kubeconfig": "inaetics",
        API + "/encryption.yml": "kube-apiserver",
        API + "/etcd-client.key": "kube-apiserver",
        API + "/front-proxy-client.key": "kube-apiserver",
        API + "/kubelet-client.key": "kube-apiserver",
        API + "/server.key": "kube-apiserver",
        API + "/service-account.key": "kube-apiserver",
        MANAGER + "/client.key": "kube-controller-manager",
        MANAGER + "/server.key": "kube-controller-manager",
        MANAGER + "/service-account.key": "kube-controller-manager",
        SCHEDULER + "/client.key": "kube-scheduler",
        SCHEDULER + "/server.key": "kube-scheduler",
        "{cluster_admin_kubeconfig}": "root",
        "{kube_master_config_dir}/super-admin.kubeconfig": "root",
        "/home/{cluster_user}/.kube/config": "{cluster_user}",
    },
    "workers": {
        "{kube_node_config_dir}/kubelet.key": "root",
        "{kube_node_config_dir}/kubelet-client.key": "root",
    },
}
# What else only its owner enters (CIS 1.1.11, 1.1.12, 4.1.1, 4.1.9).
PRIVATE = {
    "etcd": {"{etcd_data_dir}": File("etcd", "0700")},
    "control_plane": {
        "/home/{cluster_user}/.kube": File("{cluster_user}", "0700"),
        "{docker_registry_data_dir}": File("docker-registry", "0700"),
        "/var/log/kubernetes": File("kube-apiserver", "0700"),
        "{kube_master_audit_log}": File("kube-apiserver", "0600"),
    },
    "workers": {
        "{kube_node_config_dir}/kubelet.kubeconfig": File("root", "0600"),
        "{kube_node_config_dir}/kubelet.yml": File("root", "0600"),
        "/etc/systemd/system/kubelet.service": File("root", "0600"),
    },
}
USERS = {
    "cluster": ("{cluster_user}", "nobody"),
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
    groups = [SECRETS.get(group, {}) for group in facts.groups]
    return {facts.fill(path): facts.fill(owner) for group in groups for path, owner in group.items()}


def test_no_secret_is_where_it_does_not_belong(facts: Facts, secrets: dict[str, str]) -> None:
    """A copy of a key that nobody knows of is a key that nobody guards."""
    assert facts.secrets == sorted(secrets)


def test_secrets_are_for_their_owners_alone(facts: Facts, secrets: dict[str, str]) -> None:
    """A key that another can read is another's key too (CIS 1.1.13 to 1.1.21, 4.1.5)."""
    assert facts.stat(*secrets) == {path: File(owner, "0600") for path, owner in secrets.items()}


def test_nobody_else_can_read_them(facts: Facts, secrets: dict[str, str]) -> None:
    """The same, tried: access lists or an open mount would show here and not in the modes."""
    users = [facts.fill(user) for group in facts.groups for user in USERS.get(group, ())]
    assert {user: facts.readers(user, sorted(secrets)) for user in users} == {
        user: sorted(path for path, owner in secrets.items() if owner == user) for user in users
    }


def test_configuration_is_roots_to_write(facts: Facts) -> None:
    """A service that can rewrite its own configuration or its authority's certificate can undo its own limits."""
    secrets = {path for paths in SECRETS.values() for path in paths}
    ours = set(map(facts.fill, secrets | {MANAGER + "/kubeconfig", SCHEDULER + "/kubeconfig"}))
    files = {path: file for path, file in facts.files.items() if path not in ours}
    assert not {path: file for path, file in files.items() if file.owner != "root" or int(file.mode, 8) & 0o022}


def test_directories_of_data_are_closed(facts: Facts) -> None:
    """Below them is all that the cluster knows; and the kubelet's settings are root's (CIS 4.1)."""
    groups = [PRIVATE.get(group, {}) for group in facts.groups]
    expected = {
        facts.fill(path): File(facts.fill(file.owner), file.mode) for group in groups for path, file in group.items()
    }
    assert facts.stat(*expected) == expected


def test_no_key_is_in_the_journal(facts: Facts) -> None:
    """Ansible writes arguments of modules there, files in base64; the pattern does not find this command itself."""
    key = "LS0tLS1CRUdJTiB(QUklWQVRF|FQyBQUklW|SU0EgUFJJ)|BEGIN [A-Z ]*PRIVATE KE[Y]"
    assert facts.output(f"journalctl --quiet --no-pager --lines=1 --grep='{key}' || true") == ""
