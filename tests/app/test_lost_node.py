"""Machines die: a visitor of the page must see it, and the pods must move."""

import subprocess
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from runner.declaration.model import Declaration
from runner.machines import hosts
from runner.machines.containers import Docker
from runner.state import CHECKOUT
from tests.support.browser import LIVE, open_live
from tests.support.cluster.disruption import BACK
from tests.support.polling import wait_until

pytestmark = [pytest.mark.disruptive, pytest.mark.usefixtures("steered")]

DIED = 15_000  # ms until the page shows a dead node
MOVED = 25_000  # ... until its pods have left it and their successors run
PRODUCER, VIEWER = "inaetics-producer-controller", "inaetics-datastore-viewer-controller"
PRODUCERS = 4


def card(page: Page, address: str) -> Locator:
    """A node's part of the dashboard."""
    return page.locator(".node", has=page.locator("h3", has_text=address))


@pytest.fixture
def home(page: Page, viewer: str) -> Iterator[str]:
    """The address of a node with a producer and without the page; four producers are spread over the nodes."""
    path = f"{viewer}coordinator/systemStats"

    def homes(controller: str) -> list[str]:
        """Return the nodes of a controller's ready pods."""
        nodes = page.request.get(f"{viewer}coordinator/clusterInfo").json()["nodes"]
        pods = [(node["name"], pod) for node in nodes for pod in node["pods"]]
        return [name for name, pod in pods if pod["ready"] and pod["name"].startswith(controller)]

    before = page.request.get(path).json()["producers"]["requested"]
    expect(page.request.post(path, data={"producers": PRODUCERS})).to_be_ok()
    wait_until(lambda: homes(PRODUCER), "all producers run", lambda seen: len(seen) == PRODUCERS, seconds=BACK)
    yield next(name for name in homes(PRODUCER) if name not in homes(VIEWER))
    expect(page.request.post(path, data={"producers": before})).to_be_ok()


@pytest.fixture
def victim(declaration: Declaration, home: str) -> Iterator[str]:
    """The id of that node's container, which Vagrant brings back afterwards."""
    host = next(one for one in declaration.hosts if str(one.address) == home)
    with Docker() as docker:
        (container,) = (one for one in docker.containers(CHECKOUT) if one.host == host.name)
    yield container.id
    subprocess.run(["vagrant", "up", host.name], cwd=CHECKOUT, check=True, capture_output=True)
    assert hosts.status(declaration)[host.name] == "running"


def test_a_killed_node_is_shown_and_its_pods_return_elsewhere(page: Page, viewer: str, home: str, victim: str) -> None:
    open_live(page, f"{viewer}dashboard")
    expect(card(page, home)).to_contain_text(PRODUCER, timeout=LIVE)
    subprocess.run(["docker", "kill", victim], check=True, capture_output=True)
    expect(card(page, home).locator(".state")).to_have_text("NotReady", timeout=DIED)
    elsewhere = page.locator(".node:not(.down) li:not(.unready)", has_text=PRODUCER)
    expect(elsewhere).to_have_count(PRODUCERS, timeout=MOVED)
