"""etcd: healthy, and each client held to its own keys."""

import json
import re

import pytest

from tests.hosts.facts import Facts

testinfra_hosts = ["ansible://etcd"]
pytestmark = pytest.mark.journal("etcd.service")

ROOT = ("{etcd_config_dir}/ca.crt", "{etcd_config_dir}/root.crt", "{etcd_config_dir}/root.key")
FLANNEL = ("{flannel_config_dir}/etcd-ca.crt", "{flannel_config_dir}/client.crt", "{flannel_config_dir}/client.key")
API_SERVER = (
    "{kube_master_config_dir}/etcd-ca.crt",
    "{kube_master_config_dir}/apiserver/etcd-client.crt",
    "{kube_master_config_dir}/apiserver/etcd-client.key",
)
DENIED = "etcdserver: permission denied"

SECRET, VALUE = "verify-encryption-at-rest", "found-in-the-clear"


def etcdctl(facts: Facts, identity: tuple[str, str, str], command: str) -> str:
    """A command line of etcdctl with somebody's certificate; some commands would wait for ever where etcd is down."""
    authority, certificate, key = map(facts.fill, identity)
    files = f"--cacert={authority} --cert={certificate} --key={key}"
    return f"timeout 20 {facts.fill('{cluster_bin_dir}/etcdctl --endpoints={cluster_etcd_url}')} {files} {command}"


def test_is_healthy(facts: Facts) -> None:
    """A proposal must go through: an etcd that only listens serves nobody."""
    assert facts.json(etcdctl(facts, ROOT, "endpoint health --write-out=json"))[0]["health"]


def test_compacts_its_history_as_declared(facts: Facts) -> None:
    """Kubernetes' conformance tests expect a list of ten minutes ago to be compacted away."""
    settings = facts.yaml(facts.fill("{etcd_config_dir}/etcd.yml"))
    retention = facts.variables["etcd_auto_compaction_retention"]
    assert (settings["auto-compaction-mode"], settings["auto-compaction-retention"]) == ("periodic", retention)


def test_authentication_is_on(facts: Facts) -> None:
    """Without it a certificate, anybody's, opens every key."""
    assert facts.json(etcdctl(facts, ROOT, "auth status --write-out=json"))["enabled"]


def test_users_and_roles_are_those_that_are_needed(facts: Facts) -> None:
    """One user per client, known by its certificate's name, and one prefix per role."""
    assert facts.output(etcdctl(facts, ROOT, "user list")).split() == ["flannel", "kube-apiserver", "root"]
    assert facts.output(etcdctl(facts, ROOT, "role list")).split() == ["flannel", "kube-apiserver"]
    assert _permissions(facts, "flannel") == {facts.fill("{cluster_flannel_prefix}/")}
    assert _permissions(facts, "kube-apiserver") == {"/registry/", "compact_rev_key"}


def test_flannel_reads_its_own_and_nothing_else(facts: Facts) -> None:
    """Every host holds flannel's certificate: it must not open the Secrets of Kubernetes."""
    own = facts.fill("{cluster_flannel_prefix}/config")
    assert "Network" in facts.json(etcdctl(facts, FLANNEL, f"get --print-value-only {own}"))
    assert DENIED in facts.refused(etcdctl(facts, FLANNEL, "get --prefix --keys-only /registry/"))
    assert DENIED in facts.refused(etcdctl(facts, FLANNEL, "get --prefix --keys-only ''"))
    assert DENIED in facts.refused(etcdctl(facts, FLANNEL, "put /registry/verify x"))
    assert DENIED in facts.refused(etcdctl(facts, FLANNEL, "user list"))


def test_the_api_server_reads_its_own_and_nothing_else(facts: Facts) -> None:
    """A fault in the API server must not reach the pod network's leases."""
    assert "/registry/" in facts.output(etcdctl(facts, API_SERVER, "get --prefix --keys-only --limit=1 /registry/"))
    others = facts.fill("{cluster_flannel_prefix}/")
    assert DENIED in facts.refused(etcdctl(facts, API_SERVER, f"get --prefix --keys-only {others}"))
    assert DENIED in facts.refused(etcdctl(facts, API_SERVER, f"put {others}config x"))


def test_nobody_comes_in_without_a_certificate_of_etcds_authority(facts: Facts) -> None:
    """Neither a stranger, nor plain HTTP, nor a holder of another authority's certificate (CIS 2.2, 2.5)."""
    authority, certificate, key = map(facts.fill, ROOT)
    curl = facts.fill(f"curl -sS --max-time 5 --cacert {authority} {{cluster_etcd_url}}/health")
    facts.refused(curl)
    facts.refused(curl.replace("https:", "http:"))
    other = facts.fill("{kube_master_config_dir}/apiserver/kubelet-client")
    facts.refused(f"{curl} --cert {other}.crt --key {other}.key")
    assert facts.json(f"{curl} --cert {certificate} --key {key}")["health"] == "true"


def test_secrets_are_encrypted_at_rest(facts: Facts) -> None:
    """A backup of etcd, or a stolen disk, must not be a list of passwords (CIS 1.2.27, 1.2.28)."""
    kubectl = f"{facts.kubectl} --namespace=default"
    facts.output(f"{kubectl} create secret generic {SECRET} --from-literal=value={VALUE}")
    try:
        stored = etcdctl(facts, ROOT, f"get --print-value-only /registry/secrets/default/{SECRET}")
        assert facts.output(f"{stored} | head -c 23") == "k8s:enc:secretbox:v1:ke"
        assert facts.output(f"{stored} | grep --count --binary-files=text {VALUE} || true") == "0"
    finally:
        facts.output(f"{kubectl} delete secret {SECRET}")


def test_every_host_has_a_lease_of_flannels(facts: Facts) -> None:
    """The hosts learn the ways to each other's pods from these keys alone."""
    subnets = facts.fill("{cluster_flannel_prefix}/subnets/")
    leases = facts.output(etcdctl(facts, FLANNEL, f"get --prefix --print-value-only {subnets}"))
    addresses = sorted(json.loads(lease)["PublicIP"] for lease in leases.splitlines() if lease)
    assert addresses == sorted(one["cluster_address"] for one in facts.neighbours.values())


def _permissions(facts: Facts, role: str) -> set[str]:
    shown = facts.output(etcdctl(facts, ROOT, f"role get {role}"))
    keys = re.findall(r"^\t(?:\[.*\(prefix (.*)\)|(\S+))$", shown, re.MULTILINE)
    return {prefix or key for prefix, key in keys}
