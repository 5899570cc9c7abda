"""The demonstrator: its page, its data, its unit."""

from collections.abc import Callable, Iterator, Sequence

import pytest

from runner.declaration.model import Declaration, Host
from tests.support.cluster.demonstrator import SHARES, Demonstrator
from tests.support.cluster.pods import CoreApi
from tests.support.cluster.site import site
from tests.support.cluster.workstation import Shell, page
from tests.support.polling import wait_until

PROCESSORS, SELECTOR = "inaetics-processor-controller", "name=inaetics-processor-pod"
STARTED = "Started INAETICS demonstrator Kubernetes services and controllers."
# Samples a second: at 3 ms each a processor works on 333; they are counted in batches of up to 50.
ONE_PROCESSOR = 333 + 2 * 50
FLOW = 60.0  # seconds for pods to start and for a second's rate to settle


@pytest.fixture(scope="module")
def url(declaration: Declaration) -> str:
    """The address that the README tells."""
    return f"http://{declaration.controller.address}"


@pytest.fixture(scope="module")
def demonstrator(core: CoreApi, url: str) -> Demonstrator:
    """Its figures."""
    return Demonstrator(core, url)


@pytest.fixture(scope="module")
def by_hand() -> Iterator[None]:
    """The demonstrator leaves its processors alone, as somebody who sets the role's variable has it."""
    site("--tags", "inaetics-app", "-e", "inaetics_app_scaling=manual")
    yield
    site("--tags", "inaetics-app")


@pytest.fixture
def scale(core: CoreApi, by_hand: None) -> Iterator[Callable[[int], None]]:
    """Sets the number of processors; afterwards it is what it was."""

    def scale(replicas: int) -> None:
        core.patch_namespaced_replication_controller_scale(PROCESSORS, "default", {"spec": {"replicas": replicas}})

    def running() -> int:
        return len(core.list_namespaced_pod("default", label_selector=SELECTOR).items)

    before = core.read_namespaced_replication_controller_scale(PROCESSORS, "default").spec.replicas or 0
    yield scale
    scale(before)
    wait_until(running, f"there are {before} processors again", lambda seen: seen == before, seconds=FLOW)


def stored(demonstrator: Demonstrator) -> float:
    """Return the number of samples that reached the data store in this second."""
    return float(demonstrator.statistics()["now"]["stored"])


def test_the_page_answers_the_workstation(url: str) -> None:
    assert "INAETICS" in page(f"{url}/")
    assert "<html" in page(f"{url}:90/")


def test_the_page_answers_every_host(url: str, on: Callable[[str], Shell], nodes: Sequence[Host]) -> None:
    for name in ("controller", nodes[0].name, nodes[-1].name):
        for address in (f"{url}/", f"{url}:90/"):
            assert "<html" in on(name).root(f"curl -sS --fail --max-time 5 {address}"), f"{address} from {name}"


def test_no_sample_is_lost(demonstrator: Demonstrator, scale: Callable[[int], None]) -> None:
    """Each sample is stored, queued, in work, refused or lost: samples flow, and the sum is always right."""
    scale(1)
    first = wait_until(
        lambda: demonstrator.statistics()["accounting"], "samples are counted", seconds=FLOW, tolerating=(OSError,)
    )
    last = wait_until(
        lambda: demonstrator.statistics()["accounting"],
        "more samples are stored than before",
        lambda now: now["stored"] > first["stored"],
        seconds=FLOW,
    )
    assert last["produced"] == sum(last[share] for share in SHARES)
    assert last["lost"] == first["lost"]


def test_more_processors_more_flow(
    demonstrator: Demonstrator, scale: Callable[[int], None], on: Callable[[str], Shell]
) -> None:
    """`kubectl scale` on the controller, as in the original demonstrator."""
    scale(1)
    wait_until(lambda: stored(demonstrator), "one processor works", lambda flow: 0 < flow < ONE_PROCESSOR, seconds=FLOW)
    on("controller").core(f"kubectl scale rc {PROCESSORS} --replicas=2")
    wait_until(
        lambda: stored(demonstrator),
        "two store more than one ever could",
        lambda flow: flow > ONE_PROCESSOR,
        seconds=FLOW,
    )


def test_the_journal_ends_with_the_original_line(on: Callable[[str], Shell]) -> None:
    output = on("controller").core("journalctl --unit=inaetics.service --lines=1 --output=cat --no-pager")
    assert output.endswith(STARTED)
