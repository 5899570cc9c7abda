"""The nodes as the API shows them."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from kubernetes import client
from kubernetes.utils.quantity import parse_quantity

from runner.declaration.model import Declaration, Host
from tests.support.cluster.pods import CoreApi

# What each running kubelet must say of itself, whatever its file says.
EFFECTIVE = {
    "readOnlyPort": None,  # the API leaves a zero out
    "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": True}},
    "authorization": {"mode": "Webhook"},
    "nodeStatusUpdateFrequency": "2s",
    "seccompDefault": True,
    "podPidsLimit": 1024,
    "cgroupDriver": "systemd",
}


def test_nodes_are_named_by_address(core: CoreApi, nodes: Sequence[Host]) -> None:
    assert {node.metadata.name for node in core.list_node().items} == {str(node.address) for node in nodes}


def test_nodes_are_ready_under_one_version(core: CoreApi) -> None:
    for node in core.list_node().items:
        ready = next(one for one in node.status.conditions if one.type == "Ready")
        assert ready.status == "True", f"{node.metadata.name}: {ready.message}"
        assert not node.spec.taints
    assert len({node.status.node_info.kubelet_version for node in core.list_node().items}) == 1


def test_nodes_offer_what_was_declared(core: CoreApi, declaration: Declaration) -> None:
    for node in core.list_node().items:
        offered = node.status.allocatable
        assert parse_quantity(offered["cpu"]) == declaration.nodes.cpus
        assert parse_quantity(offered["memory"]) == declaration.nodes.memory * 2**20


@pytest.mark.parametrize("which", [0, -1], ids=["first", "last"])
def test_kubelet_runs_with_its_settings(core: CoreApi, nodes: Sequence[Host], which: int) -> None:
    answer = core.connect_get_node_proxy_with_path(str(nodes[which].address), "configz", _preload_content=False)
    settings = json.loads(answer.data)["kubeletconfig"]
    for key, value in EFFECTIVE.items():
        seen = settings.get(key)
        assert _part(seen, value) == value, key


def test_resource_metrics_of_every_node(api: client.ApiClient, nodes: Sequence[Host]) -> None:
    """`kubectl top nodes` has figures for each node."""
    custom: Any = client.CustomObjectsApi(api)
    metrics = custom.list_cluster_custom_object("metrics.k8s.io", "v1beta1", "nodes")["items"]
    assert {one["metadata"]["name"] for one in metrics} == {str(node.address) for node in nodes}
    assert all(parse_quantity(one["usage"]["memory"]) > 0 for one in metrics)


def _part(seen: object, wanted: object) -> object:
    """As much of what is seen as is asked for."""
    if isinstance(seen, dict) and isinstance(wanted, dict):
        return {key: _part(seen.get(key), value) for key, value in wanted.items()}
    return seen
