"""The output of `status`: certificates as they are on disk, pods in kubectl's words, tables as lines."""

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client import V1Pod
from rich.console import Console

from runner.ansible import read_endpoints
from runner.cluster import api, print_status
from runner.cluster.differences import Difference
from runner.cluster.status import Host, Status
from runner.declaration import pki
from runner.declaration.model import load
from runner.state import DECLARATION, State


def test_certificates_are_counted_from_the_files_the_shortest_first(tmp_path: Path) -> None:
    state = State(tmp_path)
    declaration = load(DECLARATION)
    pki.ensure(declaration, read_endpoints(declaration), state)
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
    lines = [" ".join(line.split()) for line in printed(found, 130).splitlines() if line.strip()]
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
        "Certificates 7, the first expires in 360 days",
        "Differences",
        "difference remedy",
        "node-2 is stopped `python -m runner site` brings it up",
    ]


LONG_NAMES = ["inaetics-datastore-viewer-controller-9jcpk", "ace-provisioning-controller-fchqx"]


@pytest.mark.parametrize(
    ("width", "columns"),
    [
        (120, "namespace name ready status restarts age node"),
        (80, "name ready status age node"),
        (60, "name ready status"),
        (20, "name ready status"),
    ],
)
def test_a_narrow_terminal_has_fewer_columns_and_whole_names(width: int, columns: str) -> None:
    started = datetime.now(UTC) - timedelta(days=5)
    found = Status(
        hosts=[Host(f"node-{number}", f"172.17.8.{30 + number}", "running") for number in range(1, 6)],
        nodes=[node("172.17.8.31", ready=False, problem="Kubelet stopped posting node status.")],
        pods=[api.Pod("default", name, 1, 1, "Running", 0, "172.17.8.31", started) for name in LONG_NAMES],
        services=[api.Service("kube-system", "kube-dns", "ClusterIP", "10.3.0.10", "", "53/UDP,53/TCP,9153/TCP")],
        certificates=[],
    )
    text = printed(found, width)
    words = text.split()
    for name in (*LONG_NAMES, "172.17.8.31", "kube-dns", "9153/TCP", "Kubelet"):
        assert name in words
    if width > max(map(len, LONG_NAMES)):
        assert max(map(len, text.splitlines())) <= width
    assert columns in [" ".join(line.split()) for line in text.splitlines()]


def test_certificates_are_listed_if_one_expires_soon() -> None:
    soon = [
        pki.CertificateExpiry("etcd", 0, "expires in 0 days"),
        pki.CertificateExpiry("kubelet-node-1", 29, "expires soon"),
    ]
    found = Status([], [], [], [], [*soon, pki.CertificateExpiry("kube-proxy", 30)])
    lines = [" ".join(line.split()) for line in printed(found, 80).splitlines() if line.strip()]
    assert lines == [
        "Hosts",
        "name address state",
        "Certificates to renew (2 of 3)",
        "name validity",
        "etcd 0 days left",
        "kubelet-node-1 29 days left",
    ]


def test_a_cluster_without_pods_and_services_has_empty_tables() -> None:
    found = Status([], [node("172.17.8.31", ready=True, problem="")], [], [], [])
    assert "namespace  name  type" in printed(found, 80)


def printed(found: Status, width: int) -> str:
    written = io.StringIO()
    print_status(found, Console(file=written, width=width, markup=False, highlight=False))
    return written.getvalue()
