"""The output of `status`: certificates as they are on disk, pods in kubectl's words, tables as lines."""

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client import V1Pod
from rich.console import Console

from runner.cluster import api, print_status
from runner.cluster.differences import Difference
from runner.cluster.status import Host, Status
from runner.declaration import pki
from runner.declaration.model import load
from runner.state import DECLARATION, State


def test_certificates_are_counted_from_the_files_the_shortest_first(tmp_path: Path) -> None:
    state = State(tmp_path)
    pki.ensure(load(DECLARATION), state)
    found = pki.expiries(state)
    days = [certificate.days_left for certificate in found]
    assert days == sorted(days)
    assert (days[0], days[-1]) == (pki.CERTIFICATE_DAYS - 1, pki.AUTHORITY_DAYS - 1)
    names = {certificate.name for certificate in found}
    assert {"kube-apiserver", "kubelet-server-node-1", "etcd (authority)"} <= names
    assert pki.expiries(State(tmp_path / "nothing")) == []


@pytest.mark.parametrize(
    ("state", "phase", "deleted", "status"),
    [
        ({"running": {}}, "Running", False, "Running"),
        ({"waiting": {"reason": "ImagePullBackOff"}}, "Pending", False, "ImagePullBackOff"),
        ({"terminated": {"exitCode": 137, "reason": "OOMKilled"}}, "Running", False, "OOMKilled"),
        ({"running": {}}, "Running", True, "Terminating"),
        (None, "Pending", False, "Pending"),
    ],
)
def test_pod_status_is_the_word_that_kubectl_shows(
    state: dict[str, Any] | None, phase: str, *, deleted: bool, status: str
) -> None:
    metadata = {"name": "pod", **({"deletionTimestamp": "2026-01-01T00:00:00Z"} if deleted else {})}
    container = {"name": "main", "image": "", "imageID": "", "ready": False, "restartCount": 0, "state": state}
    item = {
        "metadata": metadata,
        "spec": {"containers": [{"name": "main"}]},
        "status": {"phase": phase, "containerStatuses": [container] if state else None},
    }
    assert api.as_pod(V1Pod.from_dict(item)).status == status


def node(name: str, *, ready: bool, problem: str) -> api.Node:
    return api.Node(name, ready=ready, problem=problem, version="v1.37.2", cpus="1", memory="924Mi")


def test_tables_read_as_kubectl_does() -> None:
    started = datetime.now(UTC) - timedelta(minutes=19, seconds=5)
    found = Status(
        hosts=[Host("controller", "172.17.8.20", "running")],
        nodes=[
            node("172.17.8.31", ready=True, problem=""),
            node("172.17.8.32", ready=False, problem="kubelet stopped posting node status"),
        ],
        pods=[api.Pod("default", "inaetics-queue-controller-9jcpk", 1, 1, "Running", 0, "172.17.8.31", started)],
        services=[
            api.Service("default", "inaetics-viewer-service", "LoadBalancer", "10.3.21.191", "172.17.8.20", "80/TCP")
        ],
        certificates=[pki.CertificateExpiry(f"c{number}", 360 + number) for number in range(7)],
        differences=[Difference("node-2 is stopped", "`python -m runner site` brings it up")],
    )
    written = io.StringIO()
    print_status(found, Console(file=written, width=130, markup=False, highlight=False))
    lines = [" ".join(line.split()) for line in written.getvalue().splitlines() if line.strip()]
    assert lines == [
        "Hosts",
        "name address state",
        "controller 172.17.8.20 running",
        "Nodes",
        "name state version cpus memory",
        "172.17.8.31 Ready v1.37.2 1 924Mi",
        "172.17.8.32 not ready: kubelet stopped posting node status v1.37.2 1 924Mi",
        "Pods",
        "namespace name ready status restarts age node",
        "default inaetics-queue-controller-9jcpk 1/1 Running 0 19m 172.17.8.31",
        "Services",
        "namespace name type address external ports",
        "default inaetics-viewer-service LoadBalancer 10.3.21.191 172.17.8.20 80/TCP",
        "Certificates (7)",
        "name days left",
        "c0 360",
        "c1 361",
        "c2 362",
        "c3 363",
        "c4 364",
        "the others last longer",
        "Differences",
        "what there is what helps",
        "node-2 is stopped `python -m runner site` brings it up",
    ]
