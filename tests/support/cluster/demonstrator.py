"""The demonstrator as the tests of its faults see it: its figures, its pods, and what they write."""

import json
from collections.abc import Callable
from typing import Any

from tests.support.cluster.disruption import BACK, wait_until_ready
from tests.support.cluster.pods import CoreApi
from tests.support.cluster.workstation import Shell, page
from tests.support.polling import wait_until

QUEUE, VIEWER, PROVISIONING = "inaetics-queue", "inaetics-datastore-viewer", "ace-provisioning"
PRODUCER, PROCESSOR, CELIX_PROCESSOR = "inaetics-producer", "inaetics-processor", "inaetics-processor-celix"
# While a pod of the page or its node is gone.
UNREACHABLE = (OSError, ValueError)
SHARES = ("stored", "queued", "in_work", "refused", "lost")

Figures = dict[str, Any]


def figures_of(seen: Figures, component: str, name: str) -> list[float]:
    """One figure of each of a kind."""
    return [
        figure["value"]
        for item in seen["statistics"]
        if item["component"] == component
        for figure in item["figures"]
        if figure["name"] == name
    ]


def await_coordinator(url: str) -> None:
    """Wait until the coordinator of a pod that is there acts: before that it refuses changes."""

    def acts() -> bool:
        overview = json.loads(page(f"{url.rstrip('/')}/coordinator/statistics"))
        return overview["scaling"]["coordinator"] in {pod["name"] for pod in overview["pods"]}

    wait_until(acts, "a coordinator acts", seconds=BACK, tolerating=UNREACHABLE)


class Demonstrator:
    """The demonstrator at its address. A kind of pod is called as its replication controller, without "-controller"."""

    def __init__(self, core: CoreApi, url: str) -> None:
        self.core = core
        self.url = url

    def get_json(self, path: str) -> Figures:
        """Return the JSON of a path below /coordinator/."""
        answer: Figures = json.loads(page(f"{self.url}/coordinator/{path}"))
        return answer

    def statistics(self) -> Figures:
        """The next second's figures; at no moment may a sample be missing from the accounting."""
        answer = self.get_json("statistics")
        if accounting := answer["accounting"]:
            assert accounting["produced"] == sum(accounting[share] for share in SHARES), accounting
        return answer

    def accounting(self) -> Figures:
        """Return the accounting of all samples; a coordinator that has just started has none."""
        accounting: Figures = self.statistics()["accounting"] or dict.fromkeys(("produced", *SHARES), 0)
        return accounting

    def flows(self) -> Figures:
        """The accounting, once samples are produced and stored."""
        first = self.reached("the accounting is there", lambda now: now["produced"] > 0)
        return self.reached(
            "samples flow",
            lambda now: now["produced"] > first["produced"] and now["stored"] > first["stored"],
        )

    def reached(self, condition: str, holds: Callable[[Figures], object], within: float = BACK) -> Figures:
        """The accounting, once it is as it has to be."""
        return wait_until(self.accounting, condition, holds, seconds=within, tolerating=UNREACHABLE)

    def node_ready(self, name: str) -> bool | None:
        """Return whether the page shows a node as ready; None if it shows no such node."""
        return next((one["ready"] for one in self.get_json("clusterInfo")["nodes"] if one["name"] == name), None)

    def pods(self, kind: str = "") -> list[Any]:
        """The pods, of a kind or all of them, that are to stay."""
        selector = f"name={kind}-pod" if kind else ""
        listed = self.core.list_namespaced_pod("default", label_selector=selector).items
        return [pod for pod in listed if pod.metadata.deletion_timestamp is None]

    def homes(self, kind: str) -> set[str]:
        """The nodes that pods of a kind run on."""
        return {pod.spec.node_name for pod in self.pods(kind) if pod.status.phase == "Running"}

    def wait_until_ready(self) -> None:
        """Wait until every replication controller has its pods, and the coordinator of one of them acts."""
        wait_until_ready(self.core)
        await_coordinator(self.url)

    def kill(self, kind: str) -> None:
        """Take a pod away at once, and wait until another one has its place."""
        killed = self.pods(kind)[0].metadata
        self.core.delete_namespaced_pod(killed.name, "default", grace_period_seconds=0)
        wait_until(
            lambda: {pod.metadata.uid for pod in self.pods(kind)},
            f"another pod is in the place of {killed.name}",
            lambda uids: uids and killed.uid not in uids,
            seconds=BACK,
        )
        self.wait_until_ready()

    def replicas(self, kind: str) -> int:
        """Return the number of pods of a kind that are asked for."""
        scale = self.core.read_namespaced_replication_controller_scale(f"{kind}-controller", "default")
        return scale.spec.replicas or 0

    def all_replicas(self) -> dict[str, int]:
        """The numbers that are scaled, by kind."""
        return {kind: self.replicas(kind) for kind in (PROCESSOR, CELIX_PROCESSOR, PRODUCER)}

    def ask(self, kind: str, replicas: int) -> None:
        """Ask for so many pods of a kind, as `kubectl scale` does."""
        change = {"spec": {"replicas": replicas}}
        self.core.patch_namespaced_replication_controller_scale(f"{kind}-controller", "default", change)

    def scale(self, kind: str, replicas: int) -> None:
        """Ask for so many pods of a kind, and wait until there are as many."""
        self.ask(kind, replicas)
        wait_until(lambda: len(self.pods(kind)), f"{replicas} of {kind}", lambda seen: seen == replicas, seconds=BACK)
        self.wait_until_ready()

    def restarts(self) -> dict[str, int]:
        """Return the number of restarts of each pod's containers."""
        return {
            pod.metadata.name: sum(one.restart_count for one in pod.status.container_statuses) for pod in self.pods()
        }

    def logs(self, kind: str = "") -> dict[str, str]:
        """Return the log of each pod of a kind, or of all."""
        names = [pod.metadata.name for pod in self.pods(kind)]
        return {name: self.core.read_namespaced_pod_log(name, "default") for name in names}

    def set_rate(self, controller: Shell, rate: float) -> None:
        """Set every producer's rate, by the call that a coordinator makes; with manual scaling it stays."""
        for pod in self.pods(PRODUCER):
            address = pod.status.pod_ip
            listed = json.loads(controller.core(f"curl -sS --fail http://{address}:8080/services"))["services"]
            number = next(one["id"] for one in listed if one["contract"] == "inaetics.producer")
            body = json.dumps({"rate": rate})
            url = f"http://{address}:8081/services/{number}/inaetics.producer/set_rate"
            controller.core(f"curl -sS --fail --data '{body}' {url}")
