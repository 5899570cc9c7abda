"""Why: machines die, and whoever stands before the page must see it, and the pods move."""

import subprocess
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from runner import hosts
from runner.containers import Docker
from runner.declaration import Declaration
from runner.paths import CHECKOUT
from tests.app.live import LIVE, open_live

pytestmark = pytest.mark.disruptive

DIED = 15_000  # ms until the page shows a dead node
MOVED = 25_000  # ... until its pods have left it and their successors run
BACK = 60_000
QUEUE = "inaetics-queue-controller"


def card(page: Page, address: str) -> Locator:
    """A node's part of the dashboard."""
    return page.locator(".node", has=page.locator("h3", has_text=address))


@pytest.fixture
def home(page: Page, viewer: str) -> str:
    """The address of the node where the queue's pod runs."""
    nodes = page.request.get(f"{viewer}coordinator/clusterInfo").json()["nodes"]
    return next(str(node["name"]) for node in nodes if any(pod["name"].startswith(QUEUE) for pod in node["pods"]))


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
    expect(card(page, home)).to_contain_text(QUEUE, timeout=LIVE)
    subprocess.run(["docker", "kill", victim], check=True, capture_output=True)
    expect(card(page, home).locator(".state")).to_have_text("NotReady", timeout=DIED)
    elsewhere = page.locator(".node:not(.down) li:not(.unready)", has_text=QUEUE)
    expect(elsewhere).to_have_count(1, timeout=MOVED)
