"""The original demonstrator's listings, as `core@controller ~ $ kubectl get ...` prints them: names to the letter."""

import re
from collections.abc import Callable, Sequence

import pytest
import yaml

from runner.declaration.model import Declaration, Host
from tests.support.cluster.pods import CoreApi
from tests.support.cluster.workstation import Shell
from tests.support.polling import wait_until

FELIX, CELIX, PROVISIONING = "inaetics/felix-agent", "inaetics/celix-agent", "inaetics/node-provisioning"

# Name: ports and selector.
SERVICES = {
    "ace-provisioning-service": ("90/TCP", "name=ace-provisioning-pod"),
    "inaetics-viewer-service": ("80/TCP", "name=inaetics-datastore-viewer-pod"),
    "kubernetes": ("443/TCP", "<none>"),
}
# Name without "-controller", image and replicas as they are created; container and selector are named alike.
CONTROLLERS = {
    "ace-provisioning": (PROVISIONING, "1"),
    "inaetics-datastore-viewer": (FELIX, "1"),
    "inaetics-processor-celix": (CELIX, "0"),
    "inaetics-processor": (FELIX, "0"),
    "inaetics-producer": (FELIX, "1"),
    "inaetics-queue": (FELIX, "1"),
    "inaetics-queue-celix": (CELIX, "0"),  # in the original demonstrator's files, though not in its README's listing
}

# What the demonstrator scales by itself, evenly: one at least, and eight at most.
SCALED = ("inaetics-processor-celix", "inaetics-processor")
SCALES = 30.0  # seconds for a coordinator to act and for its first period

Row = dict[str, str]
Listing = Callable[[str], dict[str, Row]]


@pytest.fixture(scope="module")
def listing(on: Callable[[str], Shell]) -> Listing:
    """Return the rows that kubectl prints on the controller, by name and column."""

    def listing(what: str) -> dict[str, Row]:
        header, *rows = on("controller").core(f"kubectl get {what} --output=wide").splitlines()
        # Columns stand where their titles begin; a value may have a single space in it.
        starts = [found.start() for found in re.finditer(r"\S+(?: \S+)*", header)]
        ends = [*starts[1:], None]
        cells = [[line[begin:end].strip() for begin, end in zip(starts, ends, strict=True)] for line in (header, *rows)]
        return {row[0]: dict(zip(cells[0], row, strict=True)) for row in cells[1:]}

    return listing


def test_services(listing: Listing) -> None:
    assert {name: (row["PORT(S)"], row["SELECTOR"]) for name, row in listing("services").items()} == SERVICES


def test_services_have_the_controllers_address(listing: Listing, declaration: Declaration) -> None:
    """http://172.17.8.20/ and no port from the range of node ports."""
    shown = listing("services")
    for name in ("ace-provisioning-service", "inaetics-viewer-service"):
        assert shown[name]["EXTERNAL-IP"] == str(declaration.controller.address)


def test_replication_controllers(listing: Listing) -> None:
    columns = ("CONTAINERS", "IMAGES", "SELECTOR")
    shown = listing("rc")
    assert {name: [row[column] for column in columns] for name, row in shown.items()} == {
        f"{name}-controller": [f"{name}-container", image, f"name={name}-pod"]
        for name, (image, _) in CONTROLLERS.items()
    }
    assert {name: row["DESIRED"] for name, row in shown.items() if not name.startswith(SCALED)} == {
        f"{name}-controller": replicas for name, (_, replicas) in CONTROLLERS.items() if name not in SCALED
    }


def test_replicas_are_created_as_in_the_original(on: Callable[[str], Shell]) -> None:
    """The objects that inaetics.service creates; the number of processors follows the load from then on."""
    objects = yaml.safe_load_all(on("controller").root("cat /etc/inaetics/objects.yml"))
    created = {one["metadata"]["name"]: one["spec"]["replicas"] for one in objects if "replicas" in one["spec"]}
    assert created == {f"{name}-controller": int(replicas) for name, (_, replicas) in CONTROLLERS.items()}


def test_processors_are_split_evenly(listing: Listing) -> None:
    def desired() -> tuple[int, int]:
        shown = listing("rc")
        celix, felix = (int(shown[f"{name}-controller"]["DESIRED"]) for name in SCALED)
        return celix, felix

    wait_until(
        desired,
        "the processors are shared, the first controller taking what is odd",
        lambda seen: 1 <= sum(seen) <= 8 and seen[1] - seen[0] in (0, 1),
        seconds=SCALES,
    )


def test_pods_run_on_nodes_named_by_address(listing: Listing, nodes: Sequence[Host]) -> None:
    addresses = {str(node.address) for node in nodes}
    shown = listing("pods")
    running = [name for name, row in shown.items() if (row["READY"], row["STATUS"]) == ("1/1", "Running")]
    controllers = [name.rpartition("-controller-")[0] for name in running]
    assert sorted(name for name in controllers if name not in SCALED) == sorted(
        name for name, (_, replicas) in CONTROLLERS.items() for _ in range(int(replicas)) if name not in SCALED
    )
    assert {row["NODE"] for row in shown.values()} <= addresses


def test_nodes(listing: Listing, nodes: Sequence[Host]) -> None:
    assert {name: row["STATUS"] for name, row in listing("nodes").items()} == {
        str(node.address): "Ready" for node in nodes
    }


def test_pods_are_ordinary_users(core: CoreApi) -> None:
    """Neither root nor able to change what they run."""
    for pod in core.list_namespaced_pod("default").items:
        for container in pod.spec.containers:
            context = container.security_context
            assert context.read_only_root_filesystem, pod.metadata.name
            assert context.run_as_non_root or pod.spec.security_context.run_as_non_root, pod.metadata.name
