import io
from pathlib import Path

from rich.console import Console

from bench.app import cores
from bench.cluster import CpuTime, cpu_times
from bench.compare import alternate, summary, table, without_suffixes

CHECKOUTS = {"this": Path("/new"), "other": Path("/old")}


def test_the_checkouts_take_turns() -> None:
    order: list[str] = []

    def measure(checkout: Path) -> dict[str, float]:
        order.append(checkout.name)
        return {"site: total": float(len(order))}

    runs = alternate(CHECKOUTS, measure, 3)
    assert order == ["new", "old", "old", "new", "new", "old"]
    assert runs == {"site: total": {"this": [1, 4, 5], "other": [2, 3, 6]}}


def test_medians_and_ratios_are_shown() -> None:
    runs = {
        "site: total": {"this": [30.0, 10.0, 11.0], "other": [20.0, 22.0, 90.0]},
        "new": {"this": [1.0], "other": []},
    }
    figures = summary(runs)
    assert figures["site: total"]["this"] == {"median": 11.0, "runs": [30.0, 10.0, 11.0]}
    assert figures["site: total"]["ratio"] == 0.5
    assert figures["new"] == {"this": {"median": 1.0, "runs": [1.0]}, "ratio": None}
    written = io.StringIO()
    Console(file=written, width=80).print(table(runs))
    assert [line.split() for line in written.getvalue().splitlines()] == [
        ["figure", "this", "other", "ratio"],
        ["site:", "total", "11.00", "22.00", "0.50"],
        ["new", "1.00", "-", "-"],
    ]


def test_pods_of_two_clusters_have_one_name() -> None:
    figures = {
        "memory: inaetics-processor-controller-9jcpk, MiB": 30.0,
        "memory: inaetics-processor-controller-x7k2q, MiB": 40.0,
        "lost, samples": 0.0,
    }
    assert without_suffixes(figures) == {
        "under load: memory: inaetics-processor, MiB": 40.0,
        "under load: lost, samples": 0.0,
    }


def test_cpu_time_is_read_from_the_kubelet_and_divided_by_each_pods_own_interval() -> None:
    def metrics(queue: float, queue_at: int, other: float) -> str:
        return (
            "# HELP pod_cpu_usage_seconds_total [STABLE] Cumulative cpu time consumed by the pod in core-seconds\n"
            f'pod_cpu_usage_seconds_total{{namespace="default",pod="queue"}} {queue} {queue_at}\n'
            f'pod_cpu_usage_seconds_total{{namespace="kube-system",pod="coredns"}} {other} {queue_at}\n'
            f'container_cpu_usage_seconds_total{{container="c",namespace="default",pod="queue"}} {queue} {queue_at}\n'
        )

    before, after = cpu_times(metrics(1.5, 10_000, 9)), cpu_times(metrics(4.5, 16_000, 99))
    assert before == {"queue": CpuTime(1.5, 10.0)}
    assert cores(before, after) == 0.5
    assert cores(before, before) == 0
