"""Names: every pod finds services by name, and a name that does not exist costs no time."""

from collections.abc import Sequence

from runner.declaration.model import Declaration
from tests.support.cluster.pods import NAMESPACE, PORT, CoreApi, Pods, Probe

RESOLVE = "import socket; print(socket.gethostbyname({!r}))"
MISSING = """
import socket, time
started = time.monotonic()
try:
    socket.gethostbyname("no-such-service.example.com")
except socket.gaierror as error:
    print(error.errno == socket.EAI_NONAME, time.monotonic() - started < 5)  # the resolver asks again after 5 s
"""


def test_the_name_service_is_on_two_nodes(core: CoreApi, declaration: Declaration) -> None:
    """One lost node must not take all names with it."""
    servers = core.list_namespaced_pod("kube-system", label_selector="k8s-app=kube-dns").items
    homes = [pod.spec.node_name for pod in servers if not pod.metadata.deletion_timestamp]
    assert len(homes) == 2
    assert len(set(homes)) == min(2, declaration.nodes.count)


def test_every_node_resolves_names(pods: Pods, probes: Sequence[Probe], declaration: Declaration) -> None:
    api = str(declaration.service_network[1])
    for probe in probes:
        for name in ("kubernetes.default", "kubernetes.default.svc.cluster.local"):
            assert pods.python(probe.name, RESOLVE.format(name)) == api


def test_a_new_service_has_a_name(pods: Pods, probes: Sequence[Probe]) -> None:
    spec = {"selector": {"app": "probe"}, "ports": [{"port": PORT}]}
    service = pods.core.create_namespaced_service(NAMESPACE, {"metadata": {"name": "named"}, "spec": spec})
    for name in ("named", f"named.{NAMESPACE}.svc.cluster.local"):
        assert pods.python(probes[0].name, RESOLVE.format(name)) == service.spec.cluster_ip


def test_an_unknown_name_is_refused_at_once(pods: Pods, probes: Sequence[Probe]) -> None:
    """Offline, a query that waits for an answer from the internet holds up the client."""
    assert pods.python(probes[0].name, MISSING) == "True True"
