"""containerd: every image comes from the cluster's own registry, whose authority it knows."""

import tomllib

import pytest

from tests.hosts.facts import Facts

testinfra_hosts = ["ansible://workers"]
pytestmark = pytest.mark.journal("containerd.service")

CONTAINERD = "{cluster_bin_dir}/containerd --config /etc/containerd/config.toml config dump 2>/dev/null"


def test_settings_are_those_it_runs_with(facts: Facts) -> None:
    """A misspelt key is silently a default: so the settings are asked of containerd itself."""
    plugins = tomllib.loads(facts.output(facts.fill(CONTAINERD)))["plugins"]
    images, runtime = plugins["io.containerd.cri.v1.images"], plugins["io.containerd.cri.v1.runtime"]
    assert images["pinned_images"]["sandbox"] == facts.variables["kube_node_pause_image"]
    assert images["registry"]["config_path"] == "/etc/containerd/certs.d"
    assert runtime["cni"]["bin_dirs"] == [facts.variables["cluster_bin_dir"]]
    assert runtime["cni"]["conf_dir"] == "/etc/cni/net.d"
    assert runtime["containerd"]["runtimes"]["runc"]["options"]["SystemdCgroup"] is True
    assert runtime["restrict_oom_score_adj"] == facts.variables["cluster_hosts_are_containers"]


@pytest.mark.parametrize("name", ["docker.io", "registry"])
def test_images_come_from_the_clusters_registry(facts: Facts, name: str) -> None:
    """`inaetics/felix-agent` must not leave the cluster, and the registry's word is taken over TLS alone."""
    registry = facts.variables["cluster_registry"]
    directory = registry if name == "registry" else name
    assert tomllib.loads(facts.text(f"/etc/containerd/certs.d/{directory}/hosts.toml")) == {
        "server": f"https://{registry}",
        "capabilities": ["pull", "resolve"],
        "ca": "/etc/containerd/registry-ca.crt",
    }


def test_registry_is_believed_by_its_authority(facts: Facts) -> None:
    """The same question that a pull begins with, from this node."""
    asked = facts.fill("curl -sS --cacert /etc/containerd/registry-ca.crt https://{cluster_registry}/v2/")
    assert facts.output(asked) == "{}"


def test_cni_list_is_made_of_the_lease(facts: Facts) -> None:
    """In gateway form (10.1.65.1/24), or with another mtu than flannel's, pods start and do not reach each other."""
    bridge = facts.json("cat /etc/cni/net.d/10-flannel.conflist")["plugins"][0]
    assert bridge["type"] == "bridge"
    assert bridge["mtu"] == facts.lease.mtu
    assert bridge["ipam"]["ranges"] == [[{"subnet": str(facts.lease.subnet)}]]
    assert bridge["ipam"]["routes"] == [{"dst": str(facts.lease.network)}]


def test_cni_list_is_the_only_one(facts: Facts) -> None:
    """containerd takes the first file by name: a stray one would become the pod network."""
    assert facts.output("ls /etc/cni/net.d") == "10-flannel.conflist"
