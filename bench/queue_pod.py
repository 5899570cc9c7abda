"""Measure the throughput of one queue pod of the running cluster, with clients in other pods that only call it.

It is a queue of its own, in a namespace of its own, so that the demonstrator's accounting knows nothing of it.
"""

import sys
import time
from pathlib import Path
from typing import Any

from bench import queue_clients
from bench.cluster import NAMESPACE as DEMONSTRATOR
from bench.cluster import Cluster
from bench.targets import Figures
from tests.support.cluster.pods import NAMESPACE, START, Pods
from tests.support.polling import wait_until

PASSED_ON = "queue alone: passed on, samples/s"
CLIENT_PODS = 2
WARM_UP = 5.0

_NAME, _CONTRACT, _CONTROLLER = "queue", "inaetics.queue", "inaetics-queue-controller"
# A name without a namespace would be looked for in the pod's own.
_PROVISIONING = {"name": "PROVISIONING_URL", "value": f"http://ace-provisioning-service.{DEMONSTRATOR}:90"}


def measure(cluster: Cluster, seconds: float) -> Figures:
    """Samples a second that clients get back from a queue pod, with whatever else the machine has to do."""
    with Pods(cluster.core, cluster.connect()) as pods:
        cluster.core.create_namespaced_pod(NAMESPACE, _queue(cluster))
        address = pods.running(_NAME).address
        url = f"http://{address}:8081{cluster.services(NAMESPACE, _NAME)[_CONTRACT]}"
        code = Path(queue_clients.__file__).read_text(encoding="utf-8")
        for name in (f"clients-{number}" for number in range(CLIENT_PODS)):
            pods.create(name, command=("python3", "-c", code, url, name))

        def ledger() -> tuple[float, Any]:
            """When, and what the queue tells then."""
            return time.monotonic(), cluster.call(NAMESPACE, _NAME, _CONTRACT, "ledger")

        wait_until(lambda: ledger()[1]["stored"], "the clients are at work", seconds=START)
        time.sleep(WARM_UP)
        print(f"measuring one queue for {seconds:g} s …", file=sys.stderr, flush=True)
        began, before = ledger()
        time.sleep(seconds)
        ended, after = ledger()
    elapsed, stored = ended - began, sum(after["stored"].values()) - sum(before["stored"].values())
    refused = after["refused"] - before["refused"]
    return {PASSED_ON: stored / elapsed, "queue alone: refused, samples/s": refused / elapsed}


def _queue(cluster: Cluster) -> Any:
    """Return a pod like the demonstrator's queue, with the same limits, that the demonstrator does not find."""
    controller = cluster.core.read_namespaced_replication_controller(_CONTROLLER, DEMONSTRATOR)
    spec = controller.spec.template.spec
    spec.service_account_name = spec.service_account = None  # its namespace has none of that name
    container = spec.containers[0]
    container.env = [one for one in container.env if one.name != _PROVISIONING["name"]] + [_PROVISIONING]
    return {"metadata": {"name": _NAME}, "spec": spec}
