"""kube-proxy: services answer on every host, the controller too."""

import pytest

from tests.hosts.facts import Facts

testinfra_hosts = ["ansible://cluster"]
pytestmark = pytest.mark.journal("kube-proxy.service")


def test_is_healthy(facts: Facts) -> None:
    """Its own word that the rules are as fresh as the cluster's changes."""
    assert facts.json("curl -sS http://127.0.0.1:10256/healthz")["healthy"]


def test_uses_iptables(facts: Facts) -> None:
    """The mode that every supported kernel has; what falls back silently is slower or absent."""
    assert facts.output("curl -sS http://127.0.0.1:10249/proxyMode") == "iptables"


def test_has_rules_for_the_api_and_for_names(facts: Facts) -> None:
    """The two services without which no pod finds another."""
    base = facts.variables["cluster_service_network"].rsplit(".", 1)[0]
    rules = facts.output("iptables-save --table nat")
    dns = facts.variables["cluster_dns_address"]
    for address, name in ((f"{base}.1", "default/kubernetes:https"), (dns, "kube-system/kube-dns:dns ")):
        assert f"-d {address}/32" in rules
        assert f'"{name.strip()} cluster IP"' in rules


def test_only_the_declared_pods_keep_their_source(facts: Facts) -> None:
    """Without the pod network in its settings kube-proxy would not hide strangers' addresses from pods."""
    settings = facts.yaml(facts.fill("{kube_proxy_config_dir}/kube-proxy.yml"))
    assert settings["clusterCIDR"] == facts.variables["cluster_pod_network"]
    assert settings["metricsBindAddress"] == "127.0.0.1:10249"  # CIS 4.3.1
