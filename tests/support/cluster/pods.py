"""Pods of the tests' own: an ordinary user's, with nothing that the demonstrator's do not have either."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from kubernetes import client
from kubernetes.client.exceptions import ApiException
from kubernetes.stream import stream

from runner.declaration.model import Host
from tests.support.polling import wait_until

NAMESPACE = "cluster-tests"
IMAGE = "inaetics/felix-agent"  # as in the original demonstrator's listing; it has python3
PORT = 8080
# Answers /hostname with the pod's name.
SERVER = ("python3", "-m", "http.server", str(PORT), "--directory", "/etc")
RESTRICTED = "pod-security.kubernetes.io/enforce"
# CoreV1Api, as its answers are used: its own types call every field optional.
CoreApi = Any

START = 60.0  # seconds for a pull and a start
END = 60.0


@dataclass(frozen=True)
class Result:
    """The exit code and the output of a command in a pod."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Probe:
    """A pod that runs: its name and address, and the node that it is on."""

    name: str
    address: str
    node: str


@dataclass(frozen=True)
class Seen:
    """A pod at one moment; written out, it says why it is not further."""

    pod: Any

    def __repr__(self) -> str:
        waiting = [one.state.waiting for one in self.pod.status.container_statuses or [] if one.state.waiting]
        unmet = [one for one in self.pod.status.conditions or [] if one.status != "True"]
        reasons = [f"{one.reason}: {one.message}" for one in (*waiting, *unmet)]
        return f"{self.pod.status.phase} on {self.pod.spec.node_name} ({'; '.join(reasons)})"


class Pods:
    """The namespace of the tests' pods; it goes when the context ends."""

    def __init__(self, core: CoreApi, exec_client: client.ApiClient) -> None:
        self.core = core
        # An exec changes how its client speaks to the API, so it has one of its own.
        self._exec = client.CoreV1Api(exec_client)

    def __enter__(self) -> Self:
        self._remove()
        labels = {RESTRICTED: "restricted"}
        self.core.create_namespace({"metadata": {"name": NAMESPACE, "labels": labels}})
        wait_until(self._account, "the namespace has its service account", seconds=10)
        return self

    def __exit__(self, *_: object) -> None:
        self.core.delete_namespace(NAMESPACE)  # nobody waits: the next run does, should it come so soon

    def create(
        self,
        name: str,
        *,
        node: str | None = None,
        labels: Mapping[str, str] | None = None,
        image: str = IMAGE,
        command: Sequence[str] = SERVER,
    ) -> None:
        """Ask for a pod, on a certain node where one is named."""
        self.core.create_namespaced_pod(NAMESPACE, manifest(name, node, labels or {}, image, command))

    def serve(self, name: str, nodes: Sequence[Host]) -> list[Probe]:
        """Return web servers that tell their pod's name, one on each of the nodes, once they answer.

        Their label `app` is the name.
        """
        names = [f"{name}-{number}" for number in range(len(nodes))]
        for pod, node in zip(names, nodes, strict=True):
            self.create(pod, node=str(node.address), labels={"app": name})
        return [self.running(pod) for pod in names]

    def running(self, name: str) -> Probe:
        """A pod, once it is ready."""
        pod = self._when(name, "ready", is_ready).pod
        return Probe(name, pod.status.pod_ip, pod.spec.node_name)

    def finished(self, name: str) -> str:
        """The log of a pod, once it has ended well."""
        self._when(name, "finished", lambda pod: pod.status.phase == "Succeeded")
        return str(self.core.read_namespaced_pod_log(name, NAMESPACE))

    def run(self, name: str, *command: str) -> Result:
        """Run a command in a pod."""
        channel: Any = stream(
            self._exec.connect_get_namespaced_pod_exec,
            name,
            NAMESPACE,
            command=list(command),
            stdout=True,
            stderr=True,
            stdin=False,
            tty=False,
            _preload_content=False,
        )
        try:
            channel.run_forever(timeout=30)
            return Result(channel.returncode, channel.read_stdout(), channel.read_stderr())
        finally:
            channel.sock.shutdown()

    def python(self, name: str, code: str) -> str:
        """Return the output of a few lines of Python in a pod; they must succeed."""
        result = self.run(name, "python3", "-c", code)
        assert result.code == 0, result.err
        return result.out.strip()

    def fetch(self, name: str, url: str, times: int = 1) -> str:
        """The body of a web page, fetched by a pod, once or several times over."""
        code = (
            f"import urllib.request as u\nfor _ in range({times}): print(u.urlopen({url!r}, timeout=5).read().decode())"
        )
        return self.python(name, code)

    def _when(self, name: str, state: str, holds: Callable[[Any], bool]) -> Seen:
        return wait_until(
            lambda: Seen(self.core.read_namespaced_pod(name, NAMESPACE)),
            f"pod {name} is {state}",
            lambda seen: holds(seen.pod),
            seconds=START,
        )

    def _account(self) -> bool:
        accounts = self.core.list_namespaced_service_account(NAMESPACE).items
        return any(account.metadata.name == "default" for account in accounts)

    def _remove(self) -> None:
        try:
            self.core.delete_namespace(NAMESPACE)
        except ApiException as error:
            if error.status != 404:
                raise
        wait_until(
            lambda: [one.metadata.name for one in self.core.list_namespace().items],
            f"namespace {NAMESPACE} is gone",
            lambda names: NAMESPACE not in names,
            seconds=END,
        )


def manifest(
    name: str, node: str | None, labels: Mapping[str, str], image: str, command: Sequence[str]
) -> dict[str, Any]:
    """A pod that the restricted Pod Security level lets in."""
    container: dict[str, Any] = {
        "name": "main",
        "image": image,
        "command": list(command),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    if command == SERVER:
        container["readinessProbe"] = {"tcpSocket": {"port": PORT}, "periodSeconds": 1}
    return {
        "metadata": {"name": name, "labels": dict(labels)},
        "spec": {
            "containers": [container],
            "nodeSelector": {"kubernetes.io/hostname": node} if node else {},
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 1,
        },
    }


def is_ready(pod: Any) -> bool:
    """Return whether a pod is ready and not about to be removed."""
    conditions = {one.type: one.status for one in pod.status.conditions or []}
    return conditions.get("Ready") == "True" and pod.metadata.deletion_timestamp is None
