"""Prometheus gets its own format, with help and type for each metric, also with unusual names."""

import re

from demonstrator.bundles.coordinator.metrics import render
from demonstrator.model import Metric, Statistics
from demonstrator.model.overview import Accounting, DataPoint, Node, Overview, Scale, Scaling
from demonstrator.platform import Container, Pod

LABEL = r'[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*"'
LINE = re.compile(rf"([a-zA-Z_]\w*)(?:\{{{LABEL}(?:,{LABEL})*\}})? (-?[0-9.e+-]+)")

OVERVIEW = Overview(
    now=DataPoint(1.0, 51.0, 501.5, 676.0, 0.0),
    accounting=Accounting(10_000, 110, 50, 40, 10, 7, 3),
    statistics=(
        Statistics("queue", "q-1", (Metric("in_work", "gauge", "samples", 10.0),)),
        Statistics("my own", 'od"d\\\n', (Metric("a-b/c", "counter", "µs\n", 2.5),)),
        Statistics("queue", "q-2", (Metric("in_work", "gauge", "samples", 11.0),)),
        Statistics("queue", "q-2", (Metric("in work", "gauge", "samples", 12.0),)),
    ),
    pods=(
        Pod(
            "q-1",
            "Running",
            ready=True,
            node="node-1",
            address="",
            services_port=None,
            containers=(Container("c", "running", "", 2),),
        ),
    ),
    nodes=(Node("node-1", ready=True), Node("node-2", ready=False)),
    scaling=Scaling("original", "viewer", 20, "periodic", Scale(3, 2), None),
)


def test_each_line_is_one_of_the_format() -> None:
    text = render(OVERVIEW)
    helped, typed, valued = set(), set(), []
    for line in text.removesuffix("\n").split("\n"):
        if line.startswith("# HELP "):
            helped.add(line.split(" ")[2])
        elif line.startswith("# TYPE "):
            name, kind = line.split(" ")[2:]
            assert (kind == "counter") == name.endswith("_total")
            typed.add(name)
        else:
            match = LINE.fullmatch(line)
            assert match, line
            valued.append(line.rpartition(" ")[0])
            assert match[1] in helped & typed
    assert len(valued) == len(set(valued)), "a value is told twice"


def test_the_values_are_those_of_the_overview() -> None:
    lines = render(OVERVIEW).split("\n")
    for line in (
        'inaetics_samples_total{outcome="produced"} 110',
        'inaetics_samples_total{outcome="lost"} 3',
        'inaetics_samples_held{state="in_work"} 10',
        "inaetics_queue_capacity_samples 10000",
        'inaetics_samples_per_second{outcome="produced"} 501.5',
        "inaetics_queue_utilisation_ratio 0.51",
        'inaetics_replicas{role="processors",state="requested"} 3',
        'inaetics_replicas{role="processors",state="actual"} 2',
        'inaetics_node_ready{node="node-2"} 0',
        'inaetics_container_restarts_total{pod="q-1",container="c"} 2',
        'inaetics_queue_in_work{pod="q-2"} 11.0',
        'inaetics_my_own_a_b_c_total{pod="od\\"d\\\\\\n"} 2.5',
    ):
        assert line in lines
    assert not any('role="producers"' in line for line in lines)
