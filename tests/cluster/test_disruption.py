"""Disruptions that the cluster survives. Each test leaves it as it was; all of them run after everything else."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import pytest
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from runner.declaration.model import Declaration, Host
from tests.support.cluster.disruption import BACK, MOVED, SILENT, ready, recovered, run, silenced, wait_until_ready
from tests.support.cluster.pods import IMAGE, NAMESPACE, SERVER, CoreApi, Pods, is_ready, manifest
from tests.support.cluster.workstation import Shell, page
from tests.support.polling import wait_until

pytestmark = pytest.mark.disruptive

UNAUTHORIZED = "401"  # the API's answer to a request without a certificate


@pytest.fixture
def victim(nodes: Sequence[Host], core: CoreApi) -> Iterator[Host]:
    """The node that is disturbed; the test ends when it is ready again."""
    yield nodes[-1]
    recovered(core, nodes[-1])


def test_the_unit_removes_the_application_and_brings_it_back(
    core: CoreApi, on: Callable[[str], Shell], declaration: Declaration
) -> None:
    """`systemctl stop inaetics` and `start`, as in the original demonstrator."""
    controller = on("controller")
    try:
        controller.core("sudo systemctl stop inaetics")
        assert core.list_namespaced_replication_controller("default").items == []
        assert [one.metadata.name for one in core.list_namespaced_service("default").items] == ["kubernetes"]
        wait_until(lambda: not core.list_namespaced_pod("default").items, "its pods are gone", seconds=BACK)
    finally:
        controller.core("sudo systemctl start inaetics")
    wait_until_ready(core)
    url = f"http://{declaration.controller.address}/"
    wait_until(lambda: page(url), "the page answers again", seconds=BACK, tolerating=(OSError,))


def test_pods_leave_a_lost_node(core: CoreApi, pods: Pods, on: Callable[[str], Shell], victim: Host) -> None:
    """The original demonstrator's numbers: NotReady after ten seconds, and ten seconds later its pods are elsewhere."""
    template = manifest("wanderer", None, {"app": "wanderer"}, IMAGE, SERVER)
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [str(victim.address)]}
    wish = {"weight": 100, "preference": {"matchExpressions": [here]}}
    affinity = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [wish]}}
    template["spec"] |= {"affinity": affinity, "restartPolicy": "Always"}
    spec = {"replicas": 1, "selector": {"app": "wanderer"}, "template": template}
    core.create_namespaced_replication_controller(NAMESPACE, {"metadata": {"name": "wanderer"}, "spec": spec})

    def homes() -> set[str]:
        found = core.list_namespaced_pod(NAMESPACE, label_selector="app=wanderer").items
        staying = [pod for pod in found if pod.metadata.deletion_timestamp is None]
        return {pod.spec.node_name for pod in staying if pod.status.phase == "Running"}

    wait_until(homes, "the pod runs on the node", lambda seen: seen == {str(victim.address)}, seconds=BACK)
    try:
        with silenced(on(victim.name), victim):
            wait_until(lambda: ready(core, victim), "the silent node is NotReady", lambda yes: not yes, seconds=SILENT)
            wait_until(homes, "it runs elsewhere", lambda seen: seen and str(victim.address) not in seen, seconds=MOVED)
    finally:
        core.delete_namespaced_replication_controller("wanderer", NAMESPACE, propagation_policy="Background")


def test_the_network_check_names_a_node_whose_pods_reach_no_other(
    core: CoreApi, on: Callable[[str], Shell], nodes: Sequence[Host], victim: Host
) -> None:
    """And no other node: `site` waits for this condition."""

    def failing() -> set[str]:
        pods = core.list_namespaced_pod("kube-system", label_selector="k8s-app=network-check").items
        return {str(node.address) for node in nodes} - {pod.spec.node_name for pod in pods if is_ready(pod)}

    # Not names: of the two servers that answer for all nodes one may be here.
    rule = "FORWARD --in-interface cni0 --out-interface flannel.1 --protocol tcp --jump DROP"
    wait_until(lambda: not failing(), "every node's pods reach others", seconds=BACK)
    on(victim.name).root(f"iptables --insert {rule}")
    try:
        wait_until(failing, "the node is named", lambda seen: seen == {str(victim.address)}, seconds=BACK)
    finally:
        on(victim.name).root(f"iptables --delete {rule}")
    wait_until(lambda: not failing(), "every node's pods reach others again", seconds=BACK)


def test_a_node_comes_back_after_a_halt(core: CoreApi, pods: Pods, victim: Host) -> None:
    """`vagrant halt` and `vagrant up`: the same address, the same node, and pods run on it again."""
    identity = core.read_node(str(victim.address)).metadata.uid
    try:
        run("vagrant", "halt", victim.name)
        wait_until(lambda: ready(core, victim), "the halted node is NotReady", lambda yes: not yes, seconds=SILENT)
    finally:
        run("vagrant", "up", victim.name)
    wait_until(lambda: ready(core, victim), "the node is ready again", seconds=BACK)
    assert core.read_node(str(victim.address)).metadata.uid == identity
    pods.create("afterwards", node=str(victim.address))
    assert pods.running("afterwards").node == str(victim.address)


def test_a_rebooted_controller_brings_everything_back(
    core: CoreApi, on: Callable[[str], Shell], declaration: Declaration, nodes: Sequence[Host]
) -> None:
    """The registry, the store and the API are one host: its data must still be there, and not be created again."""

    def identities() -> set[str]:
        controllers = core.list_namespaced_replication_controller("default").items
        return {one.metadata.uid for one in (*core.list_node().items, *controllers)}

    before = identities()
    run("vagrant", "halt", "controller")
    run("vagrant", "up", "controller")
    unreachable = (OSError, HTTPError, ApiException)
    assert wait_until(identities, "the API answers again", seconds=BACK, tolerating=unreachable) == before
    wait_until_ready(core)
    url = f"http://{declaration.controller.address}/"
    wait_until(lambda: page(url), "the page answers again", seconds=BACK, tolerating=(OSError,))
    asked = f"curl -sk -o /dev/null -w '%{{http_code}}' --max-time 2 https://{declaration.service_network[1]}/ || true"
    for node in nodes:
        ask = partial(on(node.name).root, asked)
        wait_until(ask, f"{node.name} reaches the API's service", lambda code: code == UNAUTHORIZED, seconds=BACK)
