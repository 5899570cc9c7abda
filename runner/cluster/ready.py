"""Whether the cluster does what it is for, asked of the cluster itself until it does or time is up."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.client import HTTPException

from runner.cluster.api import Api, ApiError, Replicas, connect
from runner.declaration.model import Declaration
from runner.errors import NotReadyError
from runner.events import Progress, Report
from runner.state import State

STEP = "ready"
LIMIT = 120.0  # seconds for all conditions together
INTERVAL = 0.2
PAGE_TIMEOUT = 2.0
NAMESPACE = "default"
PROVISIONING_PORT = 90


@dataclass(frozen=True)
class Condition:
    """Something that must hold; `unmet` answers "" when it does, and else what is seen instead."""

    name: str
    unmet: Callable[[], str]


def wait(
    declaration: Declaration, state: State, report: Report, *, limit: float = LIMIT, own_machines: bool = False
) -> None:
    """Return when every condition holds.

    The network of `own_machines` is theirs to know; that of this project's hosts must exist here.

    Raises:
        HostsError: the hosts' network does not exist.
        NotReadyError: a condition did not hold within `limit` seconds: which, and what was seen last.
    """
    api = Api(state.kubeconfig) if own_machines else connect(declaration, state)
    page = f"http://{declaration.controller.address}"
    nodes = [str(host.address) for host in declaration.hosts if host.group == "nodes"]
    poll(conditions(api, nodes, page, f"{page}:{PROVISIONING_PORT}"), report, limit)


def conditions(api: Api, nodes: Sequence[str], page: str, provisioning: str) -> list[Condition]:
    """What must hold, each building on the one before."""
    return [
        Condition("API answers", lambda: _api(api)),
        Condition("nodes ready", lambda: _nodes(api, nodes)),
        Condition("names resolve", lambda: _names(api)),
        Condition("replication controllers full", lambda: _replication_controllers(api)),
        Condition("page answers", lambda: _page(f"{page}/")[1]),
        Condition("data flows", lambda: _statistics(f"{page}/coordinator/statistics")),
        Condition("provisioning answers", lambda: _page(f"{provisioning}/")[1]),
    ]


def poll(needed: Sequence[Condition], report: Report, limit: float) -> None:
    """Await one condition after the other; each is a line of its own on the display."""
    deadline = time.monotonic() + limit
    for condition in needed:
        said = None
        while seen := _look(condition):
            if seen != said:
                report(Progress(STEP, condition.name, seen))
                said = seen
            if time.monotonic() >= deadline:
                raise NotReadyError(
                    f"Not ready after {limit:.0f} s: {condition.name}: {seen}.",
                    "`python -m runner status` shows nodes and pods; the same command goes on from here.",
                )
            time.sleep(INTERVAL)
        report(Progress(STEP, condition.name, "yes", finished=True))


def _look(condition: Condition) -> str:
    try:
        return condition.unmet()
    except ApiError as error:
        return str(error)


def _api(api: Api) -> str:
    return "" if api.text("/readyz") == "ok" else "not yet"


def _nodes(api: Api, wanted: Sequence[str]) -> str:
    known = {node.name: node for node in api.nodes()}
    missing = [name for name in wanted if name not in known]
    problems = [f"{name} has not registered" for name in missing]
    problems += [f"{name}: {known[name].problem}" for name in wanted if name in known and not known[name].ready]
    return "; ".join(problems)


def _names(api: Api) -> str:
    """Service addresses cannot be reached from the workstation: ask for CoreDNS and its endpoints."""
    coredns = [deployment for deployment in api.deployments("kube-system") if deployment.name == "coredns"]
    if not coredns:
        return "there is no CoreDNS"
    if short := _short(coredns):
        return f"{short}{_waiting(api, 'kube-system')}"
    return "" if api.ready_endpoints("kube-system", "kube-dns") else "kube-dns has no endpoint"


def _replication_controllers(api: Api) -> str:
    controllers = api.replication_controllers(NAMESPACE)
    if not controllers:
        return "there are none"
    short = _short(controllers)
    return f"{short}{_waiting(api, NAMESPACE)}" if short else ""


def _short(groups: Sequence[Replicas]) -> str:
    return ", ".join(f"{group.name} {group.ready}/{group.wanted}" for group in groups if group.ready < group.wanted)


def _waiting(api: Api, namespace: str) -> str:
    reasons = [f"{pod.name} {pod.status}" for pod in api.pods(namespace) if pod.ready < pod.containers]
    return f" ({', '.join(reasons)})" if reasons else ""


def _page(url: str) -> tuple[str, str]:
    """The body of a page, and what is wrong with it."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(url, timeout=PAGE_TIMEOUT) as answer:
            return answer.read().decode(errors="replace"), ""
    except urllib.error.HTTPError as error:
        return "", f"{url} answers {error.code} {error.reason}"
    except (OSError, HTTPException) as error:
        return "", f"{url} does not answer: {getattr(error, 'reason', error)}"


def _statistics(url: str) -> str:
    body, problem = _page(url)
    if problem:
        return problem
    try:
        json.loads(body)
    except ValueError:
        return f"{url} answers no JSON: {body[:80]!r}"
    return ""
