"""Damage that somebody has done: `status` names it, `site` mends it, and a further run changes nothing."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import pytest

from runner.declaration.model import Declaration, Host
from runner.prepare import ReleaseManifest
from runner.state import CHECKOUT, State
from tests.support.cluster.disruption import BACK, recovered, wait_until_ready
from tests.support.cluster.pods import NAMESPACE, PORT, CoreApi, Pods, Probe
from tests.support.cluster.site import run_site, site
from tests.support.cluster.workstation import Shell
from tests.support.polling import wait_until

pytestmark = pytest.mark.disruptive

KUBELET = "kube-node : Start containerd and kubelet"
KUBE_PROXY = "kube-proxy : Start kube-proxy"
FLANNEL = "/coreos.com/network/"
ETCDCTL = (
    "/opt/cluster/bin/etcdctl --endpoints=https://127.0.0.1:2379 --cacert=/etc/etcd/ca.crt --cert=/etc/etcd/root.crt"
    " --key=/etc/etcd/root.key"
)
KUBECTL = "kubectl --kubeconfig=/etc/kubernetes/admin.kubeconfig"
TAG = (
    "/var/lib/docker-registry/docker/registry/v2/repositories/inaetics/felix-agent/_manifests/tags/latest/current/link"
)


def differences() -> list[str]:
    """Return what `status` tells."""
    command = [sys.executable, "-m", "runner", "status", "--json"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    return [one["seen"] for one in json.loads(done.stdout)["differences"]]


@pytest.fixture(name="victim")
def fixture_victim(nodes: Sequence[Host], core: CoreApi) -> Iterator[Host]:
    """The node that is damaged; a run mends all of it."""
    yield nodes[-1]
    site()
    recovered(core, nodes[-1])


@pytest.fixture(name="probes")
def fixture_probes(pods: Pods, nodes: Sequence[Host]) -> Iterator[Sequence[Probe]]:
    """Web servers of this test alone, since an earlier test may have cost a node its pods."""
    try:
        yield pods.serve("mended", [nodes[0], nodes[-1]])
    finally:
        pods.core.delete_collection_namespaced_pod(NAMESPACE, label_selector="app=mended", grace_period_seconds=0)


def test_a_cluster_as_declared_has_no_difference(core: CoreApi) -> None:
    wait_until_ready(core)
    assert differences() == []


def test_a_node_that_was_deleted_registers_again(core: CoreApi, victim: Host) -> None:
    core.delete_node(str(victim.address))
    assert f"node {victim.address} ({victim.name}) is not registered" in differences()
    assert KUBELET in site()
    recovered(core, victim)
    assert site() == []


@pytest.mark.parametrize("mask", [False, True], ids=["stopped", "masked"])
def test_a_unit_that_was_stopped_or_masked_runs_again(
    core: CoreApi, on: Callable[[str], Shell], victim: Host, *, mask: bool
) -> None:
    shell = on(victim.name)
    shell.root("systemctl stop kubelet")
    if mask:
        shell.root("ln --symbolic --force /dev/null /etc/systemd/system/kubelet.service && systemctl daemon-reload")
    assert f"kubelet of {victim.name} is inactive" in differences()
    assert KUBELET in site()
    recovered(core, victim)
    assert site() == []


@pytest.mark.parametrize("what", ["subnets/", ""], ids=["leases", "leases and network"])
def test_the_pod_networks_leases_and_its_declaration_come_back(
    on: Callable[[str], Shell], declaration: Declaration, pods: Pods, probes: Sequence[Probe], what: str
) -> None:
    """The probes stay on their addresses: a lease that is asked for again is the same."""
    shell = on("controller")
    read = f"{ETCDCTL} get --prefix --print-value-only {FLANNEL}subnets/"
    shell.root(f"{ETCDCTL} del --prefix {FLANNEL}{what}")
    site()
    leases = [json.loads(line)["PublicIP"] for line in shell.root(read).splitlines() if line]
    assert sorted(leases) == sorted(str(host.address) for host in declaration.hosts)
    for one, other in (probes, reversed(probes)):
        ask = partial(pods.fetch, one.name, f"http://{other.address}:{PORT}/hostname")
        answer = wait_until(ask, f"{one.name} reaches {other.name}", seconds=BACK, tolerating=(AssertionError,))
        assert answer == other.name
    assert site() == []


def test_flushed_rules_of_the_firewall_come_back(
    on: Callable[[str], Shell], pods: Pods, probes: Sequence[Probe], victim: Host
) -> None:
    """flanneld looks after its own; kube-proxy notices the loss of its chains only."""
    spec = {"selector": {"app": "mended"}, "ports": [{"port": 80, "targetPort": PORT}]}
    body = {"metadata": {"name": "flushed"}, "spec": spec}
    address = pods.core.create_namespaced_service(NAMESPACE, body).spec.cluster_ip
    ask = partial(on(victim.name).root, f"curl --silent --fail --max-time 2 http://{address}/hostname || true")
    names = {probe.name for probe in probes}
    wait_until(ask, "the service answers", lambda answer: answer.strip() in names, seconds=BACK)
    on(victim.name).root("iptables --flush; iptables --table nat --flush")
    assert site("--check", "--tags", "kube-proxy") == [KUBE_PROXY]
    assert site("--tags", "kube-proxy") == [KUBE_PROXY]
    wait_until(ask, "the service answers again", lambda answer: answer.strip() in names, seconds=BACK)
    assert site("--tags", "kube-proxy") == []


def test_a_tag_of_the_registry_is_the_releases_again(on: Callable[[str], Shell]) -> None:
    """As after another revision of the checkout, which leaves its own."""
    release = ReleaseManifest.read(State().release.resolve())
    assert release
    shell = on("controller")
    shell.root(f"printf %s {release.images['inaetics/node-provisioning:latest']} >{TAG}")
    assert site("--check", "--tags", "docker-registry") == ["docker-registry : Read which tags are not the release's"]
    assert site("--tags", "docker-registry") == ["docker-registry : Unpack prepared images"]
    assert shell.root(f"cat {TAG}") == release.images["inaetics/felix-agent:latest"]
    assert site("--tags", "docker-registry") == []


NODE_DAMAGE = [
    {
        "host: kernel settings changed": "sysctl --write net.ipv4.conf.all.rp_filter=1",
        "flannel: /etc/flannel/client.key is not as it was": "chmod 644 /etc/flannel/client.key",
        "kube-node: kubelet is disabled": "systemctl disable kubelet",
        "kube-proxy: kube-proxy has to start again": "iptables --flush",
    },
    {
        "host: /etc/hosts changed": "sed --in-place '/ node-3$/d' /etc/hosts",
        "flannel: /etc/flannel is not as it was": "chmod 777 /etc/flannel",
        "kube-node: /etc/kubernetes/kubelet.yml is not as it was": "rm /etc/kubernetes/kubelet.yml",
        "kube-proxy: /etc/kube-proxy/ca.crt is not as it was": "ln --symbolic --force /dev/null /etc/kube-proxy/ca.crt",
    },
]
ELSEWHERE = "mv /etc/flannel /srv/ && ln --symbolic /srv/flannel /etc/ && chmod 777 /srv/flannel"
CONTROLLER_DAMAGE = [
    {
        "host: account of people changed": "usermod --shell /bin/sh core",
        "etcd: users, roles and permissions changed": f"{ETCDCTL} user add stranger --no-password",
        "flannel: network changed": f"{ETCDCTL} put /coreos.com/network/config '{{}}'",
        "docker-registry: images changed": f"printf x >{TAG}",
        "kube-master: Kubernetes objects changed": f"{KUBECTL} -n kube-system scale deployment coredns --replicas=0",
        "inaetics-app: running queue changed": f"{KUBECTL} scale rc inaetics-queue-celix-controller --replicas=1",
    },
    {
        "etcd: account changed": "usermod --shell /bin/sh etcd",
        "docker-registry: account changed": "usermod --shell /bin/sh docker-registry",
        "kube-master: accounts changed": "usermod --shell /bin/sh kube-scheduler",
        "inaetics-app: account changed": "usermod --shell /bin/sh inaetics",
        "flannel: /etc/flannel is not as it was": ELSEWHERE,
    },
]


@pytest.mark.parametrize(
    ("host", "damage"),
    [(host, one) for host, several in (("node-5", NODE_DAMAGE), ("controller", CONTROLLER_DAMAGE)) for one in several],
)
def test_each_role_notices_what_is_not_as_it_left_it(
    on: Callable[[str], Shell], core: CoreApi, host: str, damage: dict[str, str]
) -> None:
    """Roles run again only where something differs: so each has to see all that it brings about."""
    site()
    for command in damage.values():
        on(host).root(command)
    run = run_site()
    assert run.code == 0, run.errors
    notes = {event["message"] for event in run.events if event["event"] == "Note"}
    assert {f"{host}: {one}" for one in damage} <= notes
    assert [changed for changed in run.changed if not changed.startswith(f"{host}: ")] == []
    wait_until_ready(core)
    assert not any(event["event"] == "TaskFinished" for event in run_site().events)


def test_what_was_applied_is_kept(declaration: Declaration) -> None:
    kept = json.loads(State().applied.read_text("utf-8"))
    assert kept["networks"]["pod_network"] == str(declaration.pod_network)
    assert kept["hosts"].keys() == {host.name for host in declaration.hosts}
