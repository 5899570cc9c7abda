"""The overview as Prometheus reads it: the text exposition format, version 0.0.4."""

import re

from demonstrator.model.overview import Overview

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_UNFIT = re.compile(r"[^a-zA-Z0-9_]+")
_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n"})
_LABEL_ESCAPES = _ESCAPES | str.maketrans({'"': r"\""})


def render(overview: Overview) -> str:
    """Return every metric of an overview as text, without those that have no value."""
    metrics = _Metrics()
    _add_samples(metrics, overview)
    _add_cluster(metrics, overview)
    _add_figures(metrics, overview)
    return "".join(line for lines in metrics.lines.values() for line in lines.values())


class _Metrics:
    """The lines of each metric: first its header, then its values by their labels."""

    def __init__(self) -> None:
        self.lines: dict[str, dict[str, str]] = {}

    def add(self, name: str, text: str, value: float, kind: str = "gauge", **labels: str) -> None:
        """Add a value; of two with the same labels the first one counts."""
        name = f"inaetics_{name}"
        header = f"# HELP {name} {text.translate(_ESCAPES)}\n# TYPE {name} {kind}\n"
        written = ",".join(f'{label}="{content.translate(_LABEL_ESCAPES)}"' for label, content in labels.items())
        series = f"{name}{{{written}}}" if written else name
        self.lines.setdefault(name, {"header": header}).setdefault(series, f"{series} {value!r}\n")


def _add_samples(metrics: _Metrics, overview: Overview) -> None:
    now, scaling = overview.now, overview.scaling
    if accounting := overview.accounting:
        for outcome in ("produced", "stored", "refused", "lost"):
            text, number = "All samples so far, by what became of them.", getattr(accounting, outcome)
            metrics.add("samples_total", text, number, "counter", outcome=outcome)
        for state in ("queued", "in_work"):
            text = "Samples in the queue, waiting or in work."
            metrics.add("samples_held", text, getattr(accounting, state), state=state)
        metrics.add("queue_capacity_samples", "Samples that the queue holds at most.", accounting.capacity)
    for outcome in ("produced", "stored", "refused"):
        text = "Samples a second over the last seconds."
        metrics.add("samples_per_second", text, getattr(now, outcome), outcome=outcome)
    metrics.add("queue_utilisation_ratio", "The part of the queue that is held, 0 to 1.", now.utilisation / 100)
    text, preferred = "The utilisation aimed at, 0 to 1.", scaling.preferred_utilisation / 100
    metrics.add("queue_preferred_utilisation_ratio", text, preferred)
    for role, scale in (("processors", scaling.processors), ("producers", scaling.producers)):
        for state in ("requested", "actual") if scale else ():
            text = "Pods asked for, and pods that are ready."
            metrics.add("replicas", text, getattr(scale, state), role=role, state=state)


def _add_cluster(metrics: _Metrics, overview: Overview) -> None:
    for node in overview.nodes:
        metrics.add("node_ready", "Whether a node is Ready.", int(node.ready), node=node.name)
    for pod in overview.pods:
        metrics.add("pod_ready", "Whether a pod is ready.", int(pod.ready), pod=pod.name, node=pod.node)
        for container in pod.containers:
            text, labels = "How often a container was started again.", {"pod": pod.name, "container": container.name}
            metrics.add("container_restarts_total", text, container.restarts, "counter", **labels)


def _add_figures(metrics: _Metrics, overview: Overview) -> None:
    for statistics in overview.statistics:
        for figure in statistics.metrics:
            name = _UNFIT.sub("_", f"{statistics.component}_{figure.name}")
            name += "_total" if figure.kind == "counter" else ""
            text = f"{figure.name} of each {statistics.component}, in {figure.unit}."
            metrics.add(name, text, figure.value, figure.kind, pod=statistics.pod)
