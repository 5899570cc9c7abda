"""The responses of the REST interface and their description, as far as no agent is needed."""

import json
from typing import Any

import pytest

from demonstrator.agent.pods import read_pod
from demonstrator.bundles.coordinator.openapi import Resource, document
from demonstrator.bundles.coordinator.schemas import (
    ProducerModeChange,
    ProducersChange,
    UtilisationChange,
    cluster_info,
    figures,
)
from demonstrator.bundles.coordinator.watches import parse_reports
from demonstrator.lib.codec import DecodeError
from demonstrator.model import Metric, Statistics
from demonstrator.model.overview import DataPoint, Node, Overview, Scaling
from demonstrator.platform import Container, Pod


def overview(at: float, *statistics: Statistics) -> Overview:
    scaling = Scaling("manual", "", 20, "periodic", processors=None, producers=None)
    return Overview(DataPoint(at, 0.0, 0.0, 0.0, 0.0), None, statistics, (), (), scaling)


def test_every_node_is_listed_with_or_without_pods() -> None:
    pods = (
        Pod("a", "Running", ready=True, node="n-2", address="", services_port=None),
        Pod("b", "Pending", ready=False, node="", address="", services_port=None),
    )
    nodes = (Node("n-1", ready=True), Node("n-3", ready=False))
    listed = [(node.name, node.ready, [pod.name for pod in node.pods]) for node in cluster_info(nodes, pods).nodes]
    assert listed == [("", None, ["b"]), ("n-1", True, []), ("n-2", None, ["a"]), ("n-3", False, [])]


def test_a_figure_is_null_where_its_component_did_not_answer() -> None:
    one = Statistics("queue", "q", (Metric("queued", "gauge", "samples", 1.0),))
    two = Statistics("queue", "r", (Metric("queued", "gauge", "samples", 2.0),))
    response = figures([overview(10.0, one), overview(11.0), overview(12.0, one, two)])
    assert response.at == (10.0, 11.0, 12.0)
    assert [(series.pod, series.values) for series in response.series] == [
        ("q", (1.0, None, 1.0)),
        ("r", (None, None, 2.0)),
    ]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({}, Container("c", "", "", 0)),
        ({"state": {"running": {}}, "restartCount": 0}, Container("c", "running", "", 0)),
        ({"state": {"waiting": {"reason": "ErrImagePull"}}}, Container("c", "waiting", "ErrImagePull", 0)),
        (
            {"state": {"running": {}}, "lastState": {"terminated": {"reason": "OOMKilled"}}, "restartCount": 2},
            Container("c", "running", "OOMKilled", 2),
        ),
    ],
)
def test_containers_are_read_from_their_status(status: dict[str, Any], expected: Container) -> None:
    statuses = {"containerStatuses": [{"name": "c", **status}]} if status else {}
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c"}]}, "status": statuses}
    assert read_pod(pod).containers == (expected,)


def test_a_list_of_agents_that_is_none_is_refused() -> None:
    state = {"name": "queue", "version": "1.0.0", "state": "running"}
    heard = {"at": 1.0, "report": {"target": "felix_2", "node": "n-1", "bundles": [state]}}
    assert parse_reports(json.dumps({"p": heard}).encode())["p"]["queue"].version == "1.0.0"
    wrong: tuple[Any, ...] = ([], {"p": {}}, {"p": None}, {"p": {"report": {"bundles": [{}]}}})
    for agents in wrong:
        with pytest.raises(DecodeError):
            parse_reports(json.dumps(agents).encode())


async def nothing(*_: object) -> None:
    pass


def test_types_become_schemas_with_their_descriptions() -> None:
    changes: dict[type, Any] = dict.fromkeys((ProducersChange, ProducerModeChange, UtilisationChange), nothing)
    described = document(
        [
            Resource("/a/overview", "An overview", Overview, nothing, {503: "Not now."}),
            Resource("/a/change", "What can be changed", Scaling, nothing, {}, "A change", changes),
        ],
        password=True,
    )
    schemas = described["components"]["schemas"]
    assert described["paths"]["/a/overview"]["get"]["responses"]["503"] == {
        "description": "Not now.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorResponse"}}},
    }
    body = described["paths"]["/a/change"]["put"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["anyOf"][1] == {"$ref": "#/components/schemas/ProducerModeChange"}
    assert schemas["UtilisationChange"]["properties"]["preferred_utilisation"] == {
        "type": "integer",
        "minimum": 0,
        "maximum": 100,
        "multipleOf": 5,
    }
    assert schemas["Scaling"]["properties"]["coordinator"]["description"].startswith("the pod that acts")
    assert {"type": "null"} in schemas["Overview"]["properties"]["accounting"]["anyOf"]
    for name, schema in schemas.items():
        assert schema["additionalProperties"] is False, name
        assert schema["required"] == list(schema["properties"]), name
        assert schema["description"], name
