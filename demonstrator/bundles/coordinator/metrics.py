"""The overview as Prometheus reads it: the text exposition format, version 0.0.4."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from demonstrator.model.overview import Overview

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_PREFIX = "inaetics_"
_UNFIT = re.compile(r"[^a-zA-Z0-9_]+")


@dataclass(slots=True)
class Metric:
    """A metric with its values, by their labels."""

    name: str
    kind: Literal["counter", "gauge"]
    text: str
    values: dict[tuple[tuple[str, str], ...], float] = field(default_factory=dict)

    def add(self, value: float, **labels: str) -> None:
        """Add a value; of two with the same labels the first one counts."""
        self.values.setdefault(tuple(labels.items()), value)


def collect(overview: Overview) -> list[Metric]:
    """Return every metric of an overview."""
    return [*_samples(overview), *_scaling(overview), *_cluster(overview), *_figures(overview)]


def render(metrics: Iterable[Metric]) -> str:
    """Return metrics as text, without those that have no value."""
    lines = []
    for metric in metrics:
        if metric.values:
            lines += [f"# HELP {metric.name} {_escape(metric.text)}", f"# TYPE {metric.name} {metric.kind}"]
            lines += [f"{metric.name}{_labels(dict(key))} {value!r}" for key, value in metric.values.items()]
    return "\n".join(lines) + "\n"


def _samples(overview: Overview) -> Iterable[Metric]:
    total = Metric(f"{_PREFIX}samples_total", "counter", "All samples so far, by what became of them.")
    held = Metric(f"{_PREFIX}samples_held", "gauge", "Samples in the queue, waiting or in work.")
    capacity = Metric(f"{_PREFIX}queue_capacity_samples", "gauge", "Samples that the queue holds at most.")
    if accounting := overview.accounting:
        total.add(accounting.produced, outcome="produced")
        total.add(accounting.stored, outcome="stored")
        total.add(accounting.refused, outcome="refused")
        total.add(accounting.lost, outcome="lost")
        held.add(accounting.queued, state="queued")
        held.add(accounting.in_work, state="in_work")
        capacity.add(accounting.capacity)
    now = overview.now
    rate = Metric(f"{_PREFIX}samples_per_second", "gauge", "Samples a second over the last seconds.")
    rate.add(now.produced, outcome="produced")
    rate.add(now.stored, outcome="stored")
    rate.add(now.refused, outcome="refused")
    utilisation = Metric(f"{_PREFIX}queue_utilisation_ratio", "gauge", "The part of the queue that is held, 0 to 1.")
    utilisation.add(now.utilisation / 100)
    return total, held, capacity, rate, utilisation


def _scaling(overview: Overview) -> Iterable[Metric]:
    scaling = overview.scaling
    preferred = Metric(f"{_PREFIX}queue_preferred_utilisation_ratio", "gauge", "The utilisation aimed at, 0 to 1.")
    preferred.add(scaling.preferred_utilisation / 100)
    replicas = Metric(f"{_PREFIX}replicas", "gauge", "Pods asked for, and pods that are ready.")
    for role, scale in (("processors", scaling.processors), ("producers", scaling.producers)):
        if scale:
            replicas.add(scale.requested, role=role, state="requested")
            replicas.add(scale.actual, role=role, state="actual")
    return preferred, replicas


def _cluster(overview: Overview) -> Iterable[Metric]:
    nodes = Metric(f"{_PREFIX}node_ready", "gauge", "Whether a node is Ready.")
    pods = Metric(f"{_PREFIX}pod_ready", "gauge", "Whether a pod is ready.")
    restarts = Metric(f"{_PREFIX}container_restarts_total", "counter", "How often a container was started again.")
    for node in overview.nodes:
        nodes.add(int(node.ready), node=node.name)
    for pod in overview.pods:
        pods.add(int(pod.ready), pod=pod.name, node=pod.node)
        for container in pod.containers:
            restarts.add(container.restarts, pod=pod.name, container=container.name)
    return nodes, pods, restarts


def _figures(overview: Overview) -> Iterable[Metric]:
    """Return one metric for each figure of each kind of component."""
    metrics: dict[str, Metric] = {}
    for statistics in overview.statistics:
        for figure in statistics.metrics:
            name = _UNFIT.sub("_", f"{_PREFIX}{statistics.component}_{figure.name}")
            if figure.kind == "counter":
                name += "_total"
            text = f"{figure.name} of each {statistics.component}, in {figure.unit}."
            metric = metrics.setdefault(name, Metric(name, figure.kind, text))
            metric.add(figure.value, pod=statistics.pod)
    return metrics.values()


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escape(value, quoted=True)}"' for name, value in labels.items()) + "}"


def _escape(text: str, *, quoted: bool = False) -> str:
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n")
    return escaped.replace('"', '\\"') if quoted else escaped
