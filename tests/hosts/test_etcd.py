"""etcd: healthy, and each client held to its own keys."""

import json
import re

import pytest

from tests.hosts.facts import Facts

testinfra_hosts = ["ansible://etcd"]
pytestmark = pytest.mark.journal("etcd.service")

ROOT = ("/etc/etcd/ca.crt", "/etc/etcd/root.crt", "/etc/etcd/root.key")
FLANNEL = ("/etc/flannel/etcd-ca.crt", "/etc/flannel/client.crt", "/etc/flannel/client.key")
API_SERVER = (
    "/etc/kubernetes/etcd-ca.crt",
    "/etc/kubernetes/apiserver/etcd-client.crt",
    "/etc/kubernetes/apiserver/etcd-client.key",
)
DENIED = "etcdserver: permission denied"

KUBECTL = "kubectl --kubeconfig=/etc/kubernetes/admin.kubeconfig --namespace=default"
SECRET, VALUE = "verify-encryption-at-rest", "found-in-the-clear"


def etcdctl(facts: Facts, identity: tuple[str, str, str], command: str) -> str:
    """A command line of etcdctl with somebody's certificate; some commands would wait for ever where etcd is down."""
    authority, certificate, key = identity
    files = f"--cacert={authority} --cert={certificate} --key={key}"
    return f"timeout 20 /opt/cluster/bin/etcdctl --endpoints=https://{facts.address}:2379 {files} {command}"


def test_is_healthy(facts: Facts) -> None:
    """A proposal must go through: an etcd that only listens serves nobody."""
    assert facts.json(etcdctl(facts, ROOT, "endpoint health --write-out=json"))[0]["health"]


def test_compacts_its_history_every_five_minutes(facts: Facts) -> None:
    """Kubernetes' conformance tests expect a list of ten minutes ago to be compacted away."""
    settings = facts.yaml("/etc/etcd/etcd.yml")
    assert (settings["auto-compaction-mode"], settings["auto-compaction-retention"]) == ("periodic", "5m")


def test_authentication_is_on(facts: Facts) -> None:
    """Without it a certificate, anybody's, opens every key."""
    assert facts.json(etcdctl(facts, ROOT, "auth status --write-out=json"))["enabled"]


def test_users_and_roles_are_those_that_are_needed(facts: Facts) -> None:
    """One user per client, known by its certificate's name, and one prefix per role."""
    assert facts.output(etcdctl(facts, ROOT, "user list")).split() == ["flannel", "kube-apiserver", "root"]
    assert facts.output(etcdctl(facts, ROOT, "role list")).split() == ["flannel", "kube-apiserver"]
    assert _permissions(facts, "flannel") == {"/coreos.com/network/"}
    assert _permissions(facts, "kube-apiserver") == {"/registry/", "compact_rev_key"}


def test_flannel_reads_its_own_and_nothing_else(facts: Facts) -> None:
    """Every host holds flannel's certificate: it must not open the Secrets of Kubernetes."""
    assert "Network" in facts.json(etcdctl(facts, FLANNEL, "get --print-value-only /coreos.com/network/config"))
    assert DENIED in facts.refused(etcdctl(facts, FLANNEL, "get --prefix --keys-only /registry/"))
    assert DENIED in facts.refused(etcdctl(facts, FLANNEL, "get --prefix --keys-only ''"))
    assert DENIED in facts.refused(etcdctl(facts, FLANNEL, "put /registry/verify x"))
    assert DENIED in facts.refused(etcdctl(facts, FLANNEL, "user list"))


def test_the_api_server_reads_its_own_and_nothing_else(facts: Facts) -> None:
    """A fault in the API server must not reach the pod network's leases."""
    assert "/registry/" in facts.output(etcdctl(facts, API_SERVER, "get --prefix --keys-only --limit=1 /registry/"))
    assert DENIED in facts.refused(etcdctl(facts, API_SERVER, "get --prefix --keys-only /coreos.com/network/"))
    assert DENIED in facts.refused(etcdctl(facts, API_SERVER, "put /coreos.com/network/config x"))


def test_nobody_comes_in_without_a_certificate_of_etcds_authority(facts: Facts) -> None:
    """Neither a stranger, nor plain HTTP, nor a holder of another authority's certificate (CIS 2.2, 2.5)."""
    curl = f"curl -sS --max-time 5 --cacert {ROOT[0]} https://{facts.address}:2379/health"
    facts.refused(curl)
    facts.refused(f"curl -sS --max-time 5 http://{facts.address}:2379/health")
    other = "/etc/kubernetes/apiserver/kubelet-client"
    facts.refused(f"{curl} --cert {other}.crt --key {other}.key")
    assert facts.json(f"{curl} --cert {ROOT[1]} --key {ROOT[2]}")["health"] == "true"


def test_secrets_are_encrypted_at_rest(facts: Facts) -> None:
    """A backup of etcd, or a stolen disk, must not be a list of passwords (CIS 1.2.27, 1.2.28)."""
    facts.output(f"{KUBECTL} create secret generic {SECRET} --from-literal=value={VALUE}")
    try:
        stored = etcdctl(facts, ROOT, f"get --print-value-only /registry/secrets/default/{SECRET}")
        assert facts.output(f"{stored} | head -c 23") == "k8s:enc:secretbox:v1:ke"
        assert facts.output(f"{stored} | grep --count --binary-files=text {VALUE} || true") == "0"
    finally:
        facts.output(f"{KUBECTL} delete secret {SECRET}")


def test_every_host_has_a_lease_of_flannels(facts: Facts) -> None:
    """The hosts learn the ways to each other's pods from these keys alone."""
    leases = facts.output(etcdctl(facts, FLANNEL, "get --prefix --print-value-only /coreos.com/network/subnets/"))
    addresses = sorted(json.loads(lease)["PublicIP"] for lease in leases.splitlines() if lease)
    assert addresses == sorted(one["cluster_address"] for one in facts.neighbours.values())


def _permissions(facts: Facts, role: str) -> set[str]:
    shown = facts.output(etcdctl(facts, ROOT, f"role get {role}"))
    keys = re.findall(r"^\t(?:\[.*\(prefix (.*)\)|(\S+))$", shown, re.MULTILINE)
    return {prefix or key for prefix, key in keys}
