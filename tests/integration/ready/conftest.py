"""A cluster that is ready, as far as its API and its pages tell."""

import itertools
from collections.abc import Iterator

import pytest

from tests.support.kubernetes_api import NODES, Cluster, network_check, node, replicas, serve, statistics


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    cluster = Cluster()
    core, system = "/api/v1/namespaces/default", "/apis/apps/v1/namespaces/kube-system"
    flow = map(statistics, itertools.count())
    cluster.answers = {"/readyz": "ok", "/": "<html>", "/coordinator/statistics": flow}
    cluster.list("/api/v1/nodes", *map(node, NODES))
    cluster.list(f"{system}/deployments", replicas("coredns", 2, 2), replicas("metrics-server", 1, 0))
    cluster.list("/api/v1/namespaces/kube-system/pods", *map(network_check, NODES))
    endpoint = {"addresses": ["10.1.3.4"], "conditions": {"ready": True}}
    path = "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices"
    cluster.list(path, {"addressType": "IPv4", "endpoints": [endpoint]})
    cluster.list(f"{core}/replicationcontrollers", replicas("inaetics-queue-controller", 1, 1))
    cluster.list(f"{core}/pods")
    with serve(cluster):
        yield cluster
