"""The conditions of a cluster that works, asked of the cluster until they hold or time is up."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import urllib3

from runner.cluster.api import Api, ApiError, Replicas, kubeconfig, translate_errors
from runner.declaration import Cluster
from runner.errors import NotReadyError
from runner.events import Progress, Report
from runner.state import State

PAGE_TIMEOUT = 2.0

# Returns "" when the condition holds, and else what was observed.
Condition = Callable[[], str]


def wait_until_ready(cluster: Cluster, state: State, report: Report) -> None:
    """Return when every condition holds; raises what `kubeconfig` does, or NotReadyError after two minutes."""
    page = f"http://{cluster.address}"
    nodes = [str(host.address) for host in cluster.hosts if host.group == "workers"]
    poll(conditions(Api(kubeconfig(cluster, state)), nodes, page, f"{page}:90"), report, limit=120)


def conditions(api: Api, nodes: Sequence[str], page: str, provisioning: str) -> dict[str, Condition]:
    """Return the conditions by name, each building on the one before; no URL has a slash at its end."""
    return {
        "API answers": lambda: "" if api.is_ready() else "not yet",
        "nodes ready": lambda: _nodes(api, nodes),
        "names resolve": lambda: _names(api),
        "pods reach other nodes": lambda: _network(api, nodes),
        "all pods ready": lambda: _missing_pods(
            api, "default", api.replication_controllers("default"), "there are none"
        ),
        "page answers": lambda: _page(f"{page}/"),
        "data flows": _data_flow(f"{page}/coordinator/statistics"),
        "provisioning answers": lambda: _page(f"{provisioning}/"),
    }


def poll(conditions: Mapping[str, Condition], report: Report, limit: float) -> None:
    """Wait for one condition after the other, for `limit` seconds together, and report changes in what is observed."""
    deadline = time.monotonic() + limit
    for name, condition in conditions.items():
        reported = ""
        while observed := _observed(condition):
            if observed != reported:
                report(Progress("ready", name, observed))
                reported = observed
            if time.monotonic() >= deadline:
                raise NotReadyError(
                    f"Not ready after {limit:.0f} s: {name}: {observed}.",
                    "`python -m runner status` shows nodes and pods; the same command continues from here.",
                )
            time.sleep(0.2)
        report(Progress("ready", name, "yes", finished=True))


def _observed(condition: Condition) -> str:
    try:
        return condition()
    except ApiError as error:
        return str(error)


def _nodes(api: Api, expected: Sequence[str]) -> str:
    nodes = {node.name: node for node in api.nodes()}
    problems = [f"{name} has not registered" for name in expected if name not in nodes]
    problems += [f"{name}: {nodes[name].problem}" for name in expected if name in nodes and not nodes[name].ready]
    return "; ".join(problems)


def _names(api: Api) -> str:
    # Asks for CoreDNS and its endpoints: service addresses cannot be reached from this machine.
    coredns = [deployment for deployment in api.deployments("kube-system") if deployment.name == "coredns"]
    missing = _missing_pods(api, "kube-system", coredns, "there is no CoreDNS")
    return missing or ("" if api.has_endpoint("kube-system", "kube-dns") else "kube-dns has no endpoint")


def _network(api: Api, expected: Sequence[str]) -> str:
    """Name the nodes without a pod that resolves names and reaches another node's.

    See roles/kube-master/templates/network-check.yml.j2.
    """
    checks = [pod for pod in api.pods("kube-system") if pod.name.startswith("network-check-")]
    working = {pod.node for pod in checks if pod.ready == pod.containers and pod.status != "Terminating"}
    return ", ".join(f"not on {node}" for node in expected if node not in working)


def _missing_pods(api: Api, namespace: str, groups: Sequence[Replicas], none: str) -> str:
    """Name the groups that lack pods, and the namespace's pods that are not ready with their reasons."""
    short = [f"{group.name} {group.ready}/{group.desired}" for group in groups if group.ready < group.desired]
    if not short:
        return "" if groups else none
    reasons = [f"{pod.name} {pod.status}" for pod in api.pods(namespace) if pod.ready < pod.containers]
    return ", ".join(short) + (f" ({', '.join(reasons)})" if reasons else "")


def _fetch(url: str) -> str:
    """Return the body of a page, asked without the environment's proxy."""
    with translate_errors(url):
        # A kept connection would stay with one pod of the service, also when that pod has gone.
        answer = urllib3.request("GET", url, headers={"Connection": "close"}, timeout=PAGE_TIMEOUT, retries=False)
    if answer.status >= 400:
        raise ApiError(f"{url} answers {answer.status} {answer.reason}")
    return answer.data.decode(errors="replace")


def _page(url: str) -> str:
    _fetch(url)
    return ""


def _data_flow(url: str) -> Condition:
    """Return the condition that more samples are stored than at the last look, unless people have stopped the flow."""
    before: int | None = None

    def observe() -> str:
        nonlocal before
        with translate_errors(url):
            statistics = json.loads(_fetch(url))
            if _is_stopped(statistics.get("scaling") or {}):
                return ""
            accounting = statistics["accounting"]
            stored = int(accounting["stored"]) if accounting else None
        grows = before is not None and stored is not None and stored > before
        before = stored
        if stored is None:
            return "no queue has answered yet"
        return "" if grows else f"{stored} samples are stored, no more arrived yet"

    return observe


def _is_stopped(scaling: Mapping[str, Any]) -> bool:
    """Return True if people have asked for no producers, no processors or a queue that stays empty."""
    manual = scaling.get("rule") == "manual"
    counts = [scaling.get("producers"), scaling.get("processors") if manual else None]
    stays_empty = not manual and scaling.get("preferred_utilisation") == 0
    return stays_empty or any(count and count["requested"] == 0 for count in counts)
