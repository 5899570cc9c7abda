"""Faults that the demonstrator survives, with an account of every sample.

Scaling is manual meanwhile, so that nothing else changes what a test has set.
"""

import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client
from kubernetes.utils.quantity import parse_quantity

from runner.declaration.model import Declaration, Host
from tests.cluster import malicious_requests
from tests.support.cluster.demonstrator import (
    CELIX_PROCESSOR,
    PROCESSOR,
    PRODUCER,
    PROVISIONING,
    QUEUE,
    UNREACHABLE,
    VIEWER,
    Demonstrator,
    figures_of,
)
from tests.support.cluster.disruption import BACK, MOVED, SILENT, ready, recovered, silenced
from tests.support.cluster.pods import CoreApi, Pods, Probe
from tests.support.cluster.provisioning import Provisioning, next_version
from tests.support.cluster.site import site
from tests.support.cluster.workstation import Shell
from tests.support.polling import wait_until

pytestmark = pytest.mark.disruptive

MOST_PRODUCERS, FULL_RATE, DEFAULT_RATE = 4, 1_000.0, 500.0
OVERLOADED, WARM = 5 * 60.0, 60.0  # seconds without a processor, and until memory counts
FLAT = 8 * 2**20  # bytes that a pod may grow by meanwhile; to keep what arrives takes four times as many
DROPPED = 12.0  # seconds until a service of a lost node is no longer used


@pytest.fixture(scope="module")
def demonstrator(core: CoreApi, declaration: Declaration) -> Iterator[Demonstrator]:
    """The demonstrator, scaled by nobody but the tests, with processors that keep up with a producer."""
    demonstrator = Demonstrator(core, f"http://{declaration.controller.address}")
    before = demonstrator.all_replicas()
    site("--tags", "inaetics-app", "--extra-vars", "inaetics_app_scaling=manual")
    demonstrator.wait_until_ready()
    demonstrator.scale(PROCESSOR, 2)
    yield demonstrator
    site("--tags", "inaetics-app")
    for kind, replicas in before.items():
        demonstrator.ask(kind, replicas)
    demonstrator.wait_until_ready()


@pytest.fixture(scope="class")
def overloaded(demonstrator: Demonstrator, on: Callable[[str], Shell]) -> Iterator[Demonstrator]:
    """Four producers at full rate, and no processor, after some results were stored."""
    before = demonstrator.all_replicas()
    demonstrator.flows()
    for kind, replicas in ((PROCESSOR, 0), (CELIX_PROCESSOR, 0), (PRODUCER, MOST_PRODUCERS)):
        demonstrator.scale(kind, replicas)
    demonstrator.set_rate(on("controller"), FULL_RATE)
    demonstrator.reached("the queue is full", lambda now: now["queued"] == now["capacity"] > 0 and now["refused"])
    yield demonstrator
    demonstrator.set_rate(on("controller"), DEFAULT_RATE)
    for kind, replicas in before.items():
        demonstrator.scale(kind, replicas)


@pytest.fixture
def canary(demonstrator: Demonstrator) -> Iterator[str]:
    """Stands for a credential in a request: afterwards no log has it, and no container was started again."""
    restarts, canary = demonstrator.restarts(), secrets.token_hex(16)
    yield canary
    assert demonstrator.restarts() == restarts
    assert [name for name, log in demonstrator.logs().items() if canary in log] == []
    demonstrator.flows()


@pytest.fixture
def provisioning(demonstrator: Demonstrator, state: Path) -> Provisioning:
    """The provisioning server, with the token that `site` has made."""
    return Provisioning(f"{demonstrator.url}:90", (state / "provisioning-token").read_text(encoding="utf-8").strip())


def memory(api: client.ApiClient) -> dict[str, int]:
    """Return the memory of each pod in bytes."""
    listed: Any = client.CustomObjectsApi(api).list_namespaced_custom_object
    used = {}
    for pod in listed("metrics.k8s.io", "v1beta1", "default", "pods")["items"]:
        used[pod["metadata"]["name"]] = parse_quantity(pod["containers"][0]["usage"]["memory"])
    return used


class TestUnderAFlood:
    """More than anybody works off; afterwards there are processors again."""

    def test_a_load_beyond_the_limit_is_refused_and_kept_in_no_memory(
        self, overloaded: Demonstrator, api: client.ApiClient
    ) -> None:
        """The queue keeps what it can hold and counts the rest; for five minutes nobody's memory grows."""
        restarts, first = overloaded.restarts(), overloaded.statistics()

        def passed() -> float:
            """Seconds, by the demonstrator's own clock."""
            return float(overloaded.statistics()["now"]["at"] - first["now"]["at"])

        wait_until(passed, "the first minute is over", lambda seconds: seconds >= WARM, seconds=2 * WARM)
        warm = memory(api)
        wait_until(passed, "the load has lasted", lambda seconds: seconds >= OVERLOADED, seconds=2 * OVERLOADED)
        grown = {name: used - warm[name] for name, used in memory(api).items()}
        assert grown.keys() == restarts.keys() == overloaded.restarts().keys()
        assert max(grown.values()) < FLAT, grown
        assert overloaded.restarts() == restarts
        before, after = first["accounting"], overloaded.accounting()
        assert after["refused"] - before["refused"] == after["produced"] - before["produced"] > 0

    def test_what_a_killed_queue_held_counts_as_lost(self, overloaded: Demonstrator) -> None:
        """But for what a processor that was just taken away had stored and could not settle any more."""
        before = overloaded.accounting()
        overloaded.kill(QUEUE)
        whole = before["stored"] + before["lost"] + before["queued"] + before["in_work"]
        now = overloaded.reached("all of it is stored or lost", lambda now: now["stored"] + now["lost"] == whole)
        assert now["lost"] > before["lost"]

    def test_what_a_killed_data_store_held_counts_as_lost(self, overloaded: Demonstrator) -> None:
        """Its last million results at the most: what it had let go before was stored and stays so."""
        seen = overloaded.statistics()
        (held,) = figures_of(seen, "datastore", "held")
        assert held > 0
        overloaded.kill(VIEWER)
        overloaded.reached("just that is lost", lambda now: now["lost"] == seen["accounting"]["lost"] + held)


@pytest.mark.parametrize("kind", [PROVISIONING, PROCESSOR, PRODUCER, QUEUE, VIEWER])
def test_another_pod_takes_the_place_of_a_killed_one(demonstrator: Demonstrator, kind: str) -> None:
    """It is ready, the page answers, samples flow; and only who keeps samples in memory can lose any."""
    before = demonstrator.flows()
    demonstrator.kill(kind)
    after = demonstrator.flows()
    assert after["lost"] == before["lost"] or kind in (QUEUE, VIEWER)


@pytest.mark.parametrize("kind", [QUEUE, VIEWER])
def test_the_pods_of_a_lost_node_run_elsewhere(
    demonstrator: Demonstrator, kind: str, core: CoreApi, nodes: Sequence[Host], on: Callable[[str], Shell]
) -> None:
    """Within the original demonstrator's numbers; and the page says which node is lost, as soon as there is a page.

    Nor does anybody go on with a queue that does not answer any more.
    """
    move_apart(demonstrator)
    (home,) = demonstrator.homes(kind)
    (pod,) = (pod.metadata.name for pod in demonstrator.pods(kind))
    node = next(node for node in nodes if str(node.address) == home)

    def shown() -> bool | None:
        return demonstrator.node_ready(home)

    try:
        with silenced(on(node.name), node):
            if kind == VIEWER:
                wait_until(lambda: ready(core, node), "the node is NotReady", lambda yes: not yes, seconds=SILENT)
            else:
                drops = f"drops inaetics.queue of {pod}"
                wait_until(lambda: drops in "".join(demonstrator.logs(VIEWER).values()), drops, seconds=DROPPED)
                lost = "the page shows that the node is not ready"
                wait_until(shown, lost, lambda yes: yes is False, seconds=SILENT, tolerating=UNREACHABLE)
            moved = partial(demonstrator.homes, kind)
            wait_until(moved, "its pod runs elsewhere", lambda seen: seen and home not in seen, seconds=MOVED)
            wait_until(
                shown, "the page shows what is lost", lambda yes: yes is False, seconds=BACK, tolerating=UNREACHABLE
            )
            demonstrator.wait_until_ready()
            demonstrator.flows()
    finally:
        recovered(core, node)
    wait_until(shown, "the page shows that the node is ready", seconds=BACK, tolerating=UNREACHABLE)


def move_apart(demonstrator: Demonstrator) -> None:
    """Have queue and page on different nodes: the one is to tell of the other's loss."""
    for home in demonstrator.homes(QUEUE) & demonstrator.homes(VIEWER):
        demonstrator.core.patch_node(home, {"spec": {"unschedulable": True}})
        try:
            demonstrator.kill(QUEUE)
        finally:
            demonstrator.core.patch_node(home, {"spec": {"unschedulable": False}})


def test_bad_requests_to_the_pages_are_refused(declaration: Declaration, canary: str) -> None:
    """Malformed, oversized and unauthorised ones: 4xx, and nothing else happens."""
    address = str(declaration.controller.address)
    for port, own in ((80, malicious_requests.of_the_page(canary)), (90, malicious_requests.of_provisioning(canary))):
        requests = (*malicious_requests.anywhere(canary), *own)
        refused([malicious_requests.status(address, port, *one) for one in requests], requests)


def test_bad_requests_to_the_agents_are_refused(
    demonstrator: Demonstrator, canary: str, pods: Pods, probes: Sequence[Probe]
) -> None:
    """The same from a pod, which is who can reach their ports."""
    probe = probes[0].name
    for pod in demonstrator.pods():
        address = pod.status.pod_ip
        if not any(port.name == "services" for port in pod.spec.containers[0].ports):
            continue
        services = json.loads(pods.fetch(probe, f"http://{address}:8080/services"))["services"]
        number = next(one["id"] for one in services if one["contract"] == "inaetics.statistics")
        for port, own in ((8080, []), (8081, malicious_requests.of_an_agent(number))):
            requests = [*malicious_requests.anywhere(canary), *own]
            refused(json.loads(pods.python(probe, malicious_requests.from_pod(address, port, requests))), requests)


def test_an_update_outlives_the_provisioning_server(demonstrator: Demonstrator, provisioning: Provisioning) -> None:
    """Killed as soon as it was asked: its successor knows what was asked for, and no sample gets lost."""
    target, bundle = "felix_3", "processor"
    pods = {pod.metadata.name for pod in demonstrator.pods(PROCESSOR)}
    old = provisioning.assigned(target, bundle)
    new, archive = next_version(provisioning.ask("GET", f"/bundles/{bundle}/{old}"))

    def versions() -> set[str | None]:
        """Return the versions that the target is to run and that its pods do run."""
        running = provisioning.running(target, bundle)
        return {provisioning.assigned(target, bundle), *(running.get(pod) for pod in pods)}

    def await_version(version: str) -> None:
        runs = f"every processor runs version {version}"
        wait_until(versions, runs, lambda seen: seen == {version}, seconds=BACK, tolerating=UNREACHABLE)

    before = demonstrator.flows()
    provisioning.ask("POST", "/bundles", archive)
    try:
        provisioning.ask("PUT", f"/targets/{target}/bundles/{bundle}", json.dumps({"version": new}).encode())
        demonstrator.kill(PROVISIONING)
        await_version(new)
        assert demonstrator.flows()["lost"] == before["lost"]
    finally:
        provisioning.ask("POST", f"/targets/{target}/rollback")
        await_version(old)
        provisioning.ask("DELETE", f"/bundles/{bundle}/{new}")


def refused(statuses: Sequence[int], requests: Sequence[malicious_requests.Request]) -> None:
    """Every status is one of those that blame the sender."""
    outcomes = zip(statuses, requests, strict=True)
    assert [(status, sent[:200], filling) for status, (sent, filling) in outcomes if not 400 <= status < 500] == []
