"""Requests that must be refused: of strangers, of pods, and of nodes beyond their own objects."""

import base64
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import pytest
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from runner.declaration.model import Declaration, Host
from tests.support.cluster.pods import NAMESPACE, CoreApi, Pods, Probe, manifest

UNAUTHORIZED, FORBIDDEN = 401, 403

# Tries etcd with everything that a pod is given; says how far each attempt came.
KNOCK = """
import json, os, socket, ssl
given = "/var/run/secrets/kubernetes.io/serviceaccount"
token = open(given + "/token").read()
outcomes = []
for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
    for authorization in ("", "Authorization: Bearer " + token + "\\r\\n"):
        context = ssl.create_default_context(cafile=given + "/ca.crt")
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.minimum_version = context.maximum_version = version
        try:
            plain = socket.create_connection((ADDRESS, 2379), timeout=5)
            with context.wrap_socket(plain) as channel:
                channel.sendall(("GET /health HTTP/1.1\\r\\nHost: etcd\\r\\n" + authorization + "\\r\\n").encode())
                outcomes.append("answered" if channel.recv(1) else "closed")
        except ssl.SSLError:
            outcomes.append("refused")
        except OSError as error:
            outcomes.append(type(error).__name__)
print(json.dumps({"outcomes": outcomes, "files": sorted(os.listdir(given))}))
"""


class May(Protocol):
    """Asks whether an account of a namespace may do something with a resource, or with the one of a name."""

    def __call__(
        self, namespace: str, account: str, verb: str, resource: str, named: str = "", *, where: str = "default"
    ) -> bool: ...


@pytest.fixture(scope="module")
def may(api: client.ApiClient) -> May:
    """A function that returns whether a service account may do something, in namespace default or elsewhere."""
    review: Any = client.AuthorizationV1Api(api).create_subject_access_review

    def may(namespace: str, account: str, verb: str, resource: str, named: str = "", *, where: str = "default") -> bool:
        name, _, part = resource.partition("/")
        group = "coordination.k8s.io" if name == "leases" else ""
        spec = {
            "user": f"system:serviceaccount:{namespace}:{account}",
            "groups": ["system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"],
            "resourceAttributes": {
                "namespace": where,
                "verb": verb,
                "group": group,
                "resource": name,
                "subresource": part,
                "name": named,
            },
        }
        return bool(review({"spec": spec}).status.allowed)

    return may


def _status(url: str, authority: Path) -> int:
    context = ssl.create_default_context(cafile=str(authority))
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    try:
        with opener.open(url, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


@pytest.mark.parametrize("path", ["/", "/api", "/version", "/healthz", "/api/v1/namespaces/default/pods"])
def test_the_api_answers_no_stranger(declaration: Declaration, state: Path, path: str) -> None:
    url = f"https://{declaration.controller.address}:6443{path}"
    assert _status(url, state / "pki" / "ca" / "kubernetes.crt") == UNAUTHORIZED


@pytest.mark.parametrize("path", ["/pods", "/metrics", "/healthz", "/runningpods/", "/configz"])
def test_kubelets_answer_no_stranger(nodes: Sequence[Host], state: Path, path: str) -> None:
    for node in nodes:
        assert _status(f"https://{node.address}:10250{path}", state / "pki" / "ca" / "kubernetes.crt") == UNAUTHORIZED


def test_no_pod_reaches_etcd(pods: Pods, probes: Sequence[Probe], declaration: Declaration) -> None:
    """The original demonstrator gave every pod the cluster's etcd; here it has no key to it."""
    code = f"ADDRESS = {str(declaration.controller.address)!r}\n{KNOCK}"
    for probe in probes:
        output = json.loads(pods.python(probe.name, code))
        assert set(output["outcomes"]) <= {"refused", "ConnectionResetError"}
        assert [name for name in output["files"] if not name.startswith("..")] == ["ca.crt", "namespace", "token"]


def test_no_pod_is_given_a_credential_of_etcds(core: CoreApi, state: Path) -> None:
    """Neither by a Secret, nor by a directory of its host where one lies."""
    authority = (state / "pki" / "ca" / "etcd.crt").read_text(encoding="utf-8").split("-----")[2].replace("\n", "")
    for secret in core.list_secret_for_all_namespaces().items:
        for value in (secret.data or {}).values():
            assert authority not in base64.b64decode(value).decode(errors="replace").replace("\n", "")
    for pod in core.list_pod_for_all_namespaces().items:
        assert not [volume.host_path.path for volume in pod.spec.volumes or [] if volume.host_path]


def test_an_ordinary_service_account_may_nothing(may: May) -> None:
    for verb, resource in (("list", "pods"), ("create", "pods"), ("list", "secrets"), ("get", "nodes")):
        assert not may(NAMESPACE, "default", verb, resource), f"{verb} {resource}"


def test_the_demonstrators_pods_may_see_pods_and_nothing_else(core: CoreApi, may: May) -> None:
    """Agents find each other by watching the pods of their namespace: all else is more than they need."""
    accounts = {pod.spec.service_account_name for pod in core.list_namespaced_pod("default").items}
    assert accounts
    assert any(may("default", account, "watch", "pods") for account in accounts)
    for account in accounts:
        for verb, resource in (
            ("create", "pods"),
            ("delete", "pods"),
            ("create", "pods/exec"),
            ("list", "secrets"),
            ("update", "replicationcontrollers"),
            ("patch", "nodes"),
        ):
            assert not may("default", account, verb, resource), f"{account}: {verb} {resource}"


def test_only_the_coordinator_may_scale_and_only_what_it_has_to(may: May) -> None:
    """An intruder in the page's pod may change three numbers of pods, and nothing else in the cluster."""
    account, scale = "inaetics-coordinator", "replicationcontrollers/scale"
    for kind in ("processor", "processor-celix", "producer"):
        name = f"inaetics-{kind}-controller"
        assert may("default", account, "patch", scale, name)
        assert not may("default", "inaetics-agent", "patch", scale, name)
        assert not may("default", account, "patch", "replicationcontrollers", name)
    for name in ("", "inaetics-queue-controller", "ace-provisioning-controller"):
        assert not may("default", account, "patch", scale, name)
    assert may("default", account, "watch", "replicationcontrollers")
    assert may("default", account, "watch", "nodes")
    assert not may("default", "inaetics-agent", "get", "nodes")
    assert may("default", account, "patch", "leases", "inaetics-coordinator")
    for verb, named in (("create", ""), ("delete", "inaetics-coordinator"), ("patch", "another"), ("list", "")):
        assert not may("default", account, verb, "leases", named)


def test_only_the_provisioning_server_may_keep_what_people_change(may: May) -> None:
    """An intruder in its pod may spoil its data, and reaches nothing else."""
    account, kept = "ace-provisioning", "inaetics-provisioning"
    for verb in ("get", "create", "update", "delete"):
        assert may("default", account, verb, "configmaps", where=kept)
        assert not may("default", account, verb, "configmaps")
        for other in ("inaetics-agent", "inaetics-coordinator"):
            assert not may("default", other, verb, "configmaps", where=kept)
    for verb, resource in (("list", "configmaps"), ("get", "secrets"), ("create", "pods")):
        assert not may("default", account, verb, resource, where=kept)


def test_a_node_keeps_to_itself(connect: Callable[[str], client.ApiClient], nodes: Sequence[Host]) -> None:
    """An intruder that leaves a pod has its node's certificate: it must open neither other nodes nor Secrets."""
    own, other = nodes[0], nodes[-1]
    with connect(f"kubelet-{own.name}") as kubelet:
        api: CoreApi = client.CoreV1Api(kubelet)
        assert api.read_node(str(own.address)).metadata.name == str(own.address)
        label = {"metadata": {"labels": {"tests": "was-here"}}}
        own_role = {"metadata": {"labels": {"node-restriction.kubernetes.io/tests": "was-here"}}}
        for attempt in (
            lambda: api.patch_node(str(other.address), label, dry_run="All"),
            lambda: api.patch_node(str(own.address), own_role, dry_run="All"),
            api.list_secret_for_all_namespaces,
            lambda: api.read_namespaced_secret("not-of-its-pods", "default"),
            lambda: api.list_namespaced_config_map("kube-system"),
            lambda: api.delete_node(str(other.address), dry_run="All"),
        ):
            with pytest.raises(ApiException) as refused:
                attempt()
            assert refused.value.status == FORBIDDEN


VIOLATIONS: dict[str, dict[str, Any]] = {
    "privileged": {"containers": {"securityContext": {"privileged": True}}},
    "root": {"containers": {"securityContext": {"runAsUser": 0, "runAsNonRoot": False}}},
    "hostNetwork": {"hostNetwork": True},
    "hostPID": {"hostPID": True},
    "hostPath": {"volumes": [{"name": "host", "hostPath": {"path": "/etc"}}]},
}


@pytest.mark.parametrize("violation", VIOLATIONS)
def test_the_demonstrators_namespace_is_restricted(core: CoreApi, violation: str) -> None:
    """namespace default lets nobody in who could leave a container."""
    pod = manifest("offender", None, {}, "pause:2", ["true"])
    change = dict(VIOLATIONS[violation])
    pod["spec"]["containers"][0] |= change.pop("containers", {})
    pod["spec"] |= change
    with pytest.raises(ApiException, match="violates PodSecurity") as refused:
        core.create_namespaced_pod("default", pod, dry_run="All")
    assert refused.value.status == FORBIDDEN
