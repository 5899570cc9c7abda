"""Readiness: each condition of a cluster that works, and what is said where one does not hold."""

import threading
from pathlib import Path
from typing import Any

import pytest

from runner.cluster import api as api_module
from runner.cluster.ready import conditions, poll
from runner.errors import NotReadyError
from runner.events import Event, Progress
from tests.support.kubernetes_api import NODES, Cluster, client, network_check, node, pod, replicas, statistics


def await_all(cluster: Cluster, directory: Path, limit: float = 0.2) -> list[Event]:
    events: list[Event] = []
    poll(conditions(client(cluster, directory), NODES, cluster.url, cluster.url), events.append, limit)
    return events


def test_every_condition_of_a_ready_cluster_holds(cluster: Cluster, tmp_path: Path) -> None:
    events = await_all(cluster, tmp_path, limit=10)
    assert [event.item for event in events if isinstance(event, Progress) and event.finished] == [
        "API answers",
        "nodes ready",
        "names resolve",
        "pods reach other nodes",
        "all pods ready",
        "page answers",
        "data flows",
        "provisioning answers",
    ]


def test_a_proxy_of_the_environment_is_not_asked(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    await_all(cluster, tmp_path, limit=10)


def test_waits_until_a_condition_holds(cluster: Cluster, tmp_path: Path) -> None:
    cluster.list("/api/v1/nodes", node(NODES[0]))
    timer = threading.Timer(0.5, lambda: cluster.list("/api/v1/nodes", *map(node, NODES)))
    timer.start()
    events = await_all(cluster, tmp_path, limit=10)
    timer.join()
    assert Progress("ready", "nodes ready", "172.17.8.32 has not registered") in events
    assert Progress("ready", "nodes ready", "yes", finished=True) in events


@pytest.mark.parametrize(
    ("path", "answer", "message"),
    [
        ("/readyz", 500, "API answers: {url}/readyz answers 500 Internal Server Error: 500"),
        ("/readyz", "hang", "API answers: {url}/readyz does not answer: Read timed out. (read timeout=0.3)."),
        ("/api/v1/nodes", {"items": [node(NODES[0], ready=False)]}, "nodes ready: 172.17.8.32 has not registered; "),
        ("/api/v1/nodes", "<html>", "nodes ready: list_node of {url} answers something unexpected: "),
        ("/api/v1/nodes", {"kind": "Status"}, "nodes ready: list_node of {url} answers something unexpected: "),
        ("/apis/apps/v1/namespaces/kube-system/deployments", {"items": []}, "names resolve: there is no CoreDNS"),
        (
            "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices",
            {"items": [{"addressType": "IPv4", "endpoints": None}]},
            "names resolve: kube-dns has no endpoint",
        ),
        ("/api/v1/nodes", {"items": [{}]}, "nodes ready: list_node of {url} answers something unexpected: "),
        (
            "/apis/apps/v1/namespaces/kube-system/deployments",
            403,
            "names resolve: list_namespaced_deployment kube-system of {url} answers 403 Forbidden: 403",
        ),
        (
            "/api/v1/namespaces/kube-system/pods",
            {"items": [network_check(NODES[0]), network_check(NODES[1], ready=False)]},
            "pods reach other nodes: not on 172.17.8.32",
        ),
        ("/", 503, "page answers: {url}/ answers 503 Service Unavailable"),
        (
            "/coordinator/statistics",
            "<html>",
            "data flows: {url}/coordinator/statistics answers something unexpected: <",
        ),
        ("/coordinator/statistics", "hang", "data flows: {url}/coordinator/statistics does not answer: Read timed out"),
        (
            "/coordinator/statistics",
            {"stored": 1},
            "data flows: {url}/coordinator/statistics answers something unexpec",
        ),
        ("/coordinator/statistics", statistics(None), "data flows: no queue has answered yet"),
        ("/coordinator/statistics", statistics(7), "data flows: 7 samples are stored, no more arrived yet"),
    ],
)
def test_a_condition_that_does_not_hold_is_named_with_what_was_observed(
    cluster: Cluster, tmp_path: Path, path: str, answer: Any, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_module, "READ", 0.3)
    monkeypatch.setattr("runner.cluster.ready.PAGE_TIMEOUT", 0.3)
    cluster.answers[path] = answer
    with pytest.raises(NotReadyError) as caught:
        await_all(cluster, tmp_path)
    assert message.format(url=cluster.url) in caught.value.message
    assert "python -m runner status" in caught.value.remedy


def test_short_replication_controller_names_its_pods_reasons(cluster: Cluster, tmp_path: Path) -> None:
    core = "/api/v1/namespaces/default"
    cluster.list(f"{core}/replicationcontrollers", replicas("inaetics-queue-controller", 1, 0))
    cluster.list(f"{core}/pods", pod("inaetics-queue-controller-9jcpk", "ImagePullBackOff"))
    with pytest.raises(NotReadyError) as caught:
        await_all(cluster, tmp_path)
    assert "inaetics-queue-controller 0/1 (inaetics-queue-controller-9jcpk ImagePullBackOff)" in caught.value.message


@pytest.mark.parametrize(
    "changes",
    [{"utilisation": 0}, {"producers": 0}, {"rule": "manual", "producers": 0}, {"rule": "manual", "processors": 0}],
)
def test_a_flow_that_people_have_stopped_is_not_waited_for(
    cluster: Cluster, tmp_path: Path, changes: dict[str, Any]
) -> None:
    cluster.answers["/coordinator/statistics"] = statistics(7, **changes)
    await_all(cluster, tmp_path)


def test_a_flow_that_starts_again_after_a_loss_is_enough(cluster: Cluster, tmp_path: Path) -> None:
    cluster.answers["/coordinator/statistics"] = map(statistics, [None, 9, 2, 2, 3])
    events = await_all(cluster, tmp_path, limit=10)
    assert Progress("ready", "data flows", "2 samples are stored, no more arrived yet") in events
