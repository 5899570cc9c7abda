"""Taking something away from the cluster, and waiting until it has come back."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from runner.declaration.model import Host
from runner.state import CHECKOUT
from tests.support.cluster.pods import CoreApi, is_ready
from tests.support.cluster.workstation import Shell
from tests.support.polling import wait_until

SILENT = 10.0 + 5.0  # seconds until a silent node is NotReady: the original demonstrator's ten, and two reports
MOVED = 10.0 + 15.0  # ... and until its pods have left and their successors run
BACK = 60.0


def ready(core: CoreApi, node: Host) -> bool:
    """Return whether a node reports that it is ready."""
    conditions = core.read_node(str(node.address)).status.conditions
    return any(one.type == "Ready" and one.status == "True" for one in conditions)


def wait_until_ready(core: CoreApi) -> None:
    """Wait until every replication controller of the demonstrator has its pods, and they are ready.

    The pods tell: what a replication controller says of them is for a moment what was true before.
    """

    def short() -> dict[str, int]:
        """Return the number of ready pods that each of them lacks."""
        pods = [pod.metadata.labels for pod in core.list_namespaced_pod("default").items if is_ready(pod)]
        lacking = {}
        for one in core.list_namespaced_replication_controller("default").items:
            own = sum(one.spec.selector.items() <= labels.items() for labels in pods)
            lacking[one.metadata.name] = one.spec.replicas - own
        return {name: count for name, count in lacking.items() if count > 0}

    wait_until(short, "every replication controller is full", lambda lacks: not lacks, seconds=BACK)


def recovered(core: CoreApi, node: Host) -> None:
    """Wait until a node is ready again and the demonstrator has all of its pods."""
    wait_until(lambda: ready(core, node), "the node is ready again", seconds=BACK)
    wait_until_ready(core)


@contextmanager
def silenced(shell: Shell, node: Host) -> Iterator[None]:
    """A node that nobody hears: its private interface is down until the context ends."""
    device = shell.root(f"ip -brief -4 address show to {node.address}/32").split()[0].partition("@")[0]
    try:
        shell.root(f"ip link set {device} down")
        yield
    finally:
        shell.root(f"ip link set {device} up")


def run(*command: str) -> None:
    """A command of the workstation, in the checkout; it must succeed."""
    done = subprocess.run(command, cwd=CHECKOUT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
