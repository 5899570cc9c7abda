"""The answers of the REST interface and their description, as far as no agent is needed."""

from dataclasses import dataclass
from typing import Any, Literal

import pytest

from demonstrator.agent.pods import read_pod
from demonstrator.bundles.coordinator.answers import PreferenceChange, cluster_info, figures
from demonstrator.bundles.coordinator.bundles import read
from demonstrator.bundles.coordinator.openapi import schema
from demonstrator.lib.codec import DecodeError
from demonstrator.model.overview import Node
from demonstrator.model.samples import Metric, Statistics
from demonstrator.platform.spi import Container, Pod


def test_every_node_is_told_with_or_without_pods() -> None:
    pods = (Pod("a", "Running", True, "n-2", "", None), Pod("b", "Pending", False, "", "", None))
    nodes = (Node("n-1", ready=True), Node("n-3", ready=False))
    told = [(node.name, node.ready, [pod.name for pod in node.pods]) for node in cluster_info(nodes, pods).nodes]
    assert told == [("", None, ["b"]), ("n-1", True, []), ("n-2", None, ["a"]), ("n-3", False, [])]


def test_a_figure_is_null_where_its_component_did_not_answer() -> None:
    one = Statistics("queue", "q", (Metric("queued", "gauge", "samples", 1.0),))
    two = Statistics("queue", "r", (Metric("queued", "gauge", "samples", 2.0),))
    told = figures([(10.0, (one,)), (11.0, ()), (12.0, (one, two))])
    assert told.at == (10.0, 11.0, 12.0)
    assert [(series.pod, series.values) for series in told.series] == [
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
def test_containers_are_read_as_kubernetes_tells_them(status: dict[str, Any], expected: Container) -> None:
    told = {"containerStatuses": [{"name": "c", **status}]} if status else {}
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c"}]}, "status": told}
    assert read_pod(pod).containers == (expected,)


def test_what_is_no_report_of_bundles_is_named() -> None:
    state = {"name": "queue", "version": "1.0.0", "state": "running"}
    assert read({"p": {"report": {"bundles": [state]}}})["p"]["queue"].version == "1.0.0"
    answers: tuple[Any, ...] = ([], {"p": {}}, {"p": None}, {"p": {"report": {"bundles": [{}]}}})
    for answer in answers:
        with pytest.raises(DecodeError):
            read(answer)


@dataclass(frozen=True)
class Example:
    """An example.

    Attributes:
        one: what it is for,
            in two lines.
    """

    one: float | None
    two: tuple[Literal["a", "b"], ...]


def test_types_become_schemas_with_their_descriptions() -> None:
    schemas: dict[str, Any] = {}
    assert schema(Example, schemas) == {"$ref": "#/components/schemas/Example"}
    assert schemas["Example"] == {
        "type": "object",
        "description": "An example.",
        "properties": {
            "one": {"anyOf": [{"type": "number"}, {"type": "null"}], "description": "what it is for, in two lines."},
            "two": {"type": "array", "items": {"type": "string", "enum": ["a", "b"]}},
        },
        "required": ["one", "two"],
        "additionalProperties": False,
    }
    schema(PreferenceChange, schemas)
    assert schemas["PreferenceChange"]["properties"]["preferred_utilisation"] == {
        "type": "integer",
        "minimum": 0,
        "maximum": 100,
        "multipleOf": 5,
    }
