"""Why: the page is what the whole cluster is raised for, and only a browser shows whether it lives."""

import json
import re
from pathlib import Path

from playwright.sync_api import Page, expect

from runner.declaration.model import Declaration
from tests.support.browser import LIVE, open_live


def number(page: Page, name: str) -> int:
    """A figure of the page, without its thousands' separators."""
    return int("".join(filter(str.isdigit, page.locator(f"#{name}").inner_text())))


def test_the_numbers_move(page: Page, viewer: str) -> None:
    """Samples are produced all the time, so the sum on the page must grow without a reload."""
    open_live(page, viewer)
    before = number(page, "produced-total")
    page.wait_for_function(
        "before => Number(document.querySelector('#produced-total').textContent.replace(/\\D/g, '')) > before",
        arg=before,
        timeout=LIVE,
    )
    assert number(page, "produced-rate") > 0


def test_every_sample_is_accounted_for(page: Page, viewer: str) -> None:
    """The page itself checks the sum and says so; a viewer that could not add up would show it here."""
    open_live(page, viewer)
    expect(page.locator("#balance")).to_contain_text("The sum is exact", timeout=LIVE)


def test_the_page_and_the_data_say_the_same(page: Page, viewer: str) -> None:
    """People read the page and programs the JSON: the JSON's sum lies between two readings of the page."""
    open_live(page, viewer)
    before = number(page, "produced-total")
    statistics = json.loads(page.request.get(f"{viewer}coordinator/statistics").text())
    produced = statistics["accounting"]["produced"]
    page.wait_for_function(
        "produced => Number(document.querySelector('#produced-total').textContent.replace(/\\D/g, '')) >= produced",
        arg=produced,
        timeout=LIVE,
    )
    assert before <= produced
    assert statistics["accounting"]["capacity"] == number(page, "capacity") == 10_000


def test_each_pod_stands_on_its_node(page: Page, viewer: str, declaration: Declaration) -> None:
    """The page names the nodes that pods run on by address, as the original demonstrator does."""
    open_live(page, viewer)
    nodes = [re.escape(str(host.address)) for host in declaration.hosts if host.group == "workers"]
    expect(page.locator("#nodes")).to_contain_text(re.compile("|".join(nodes)), timeout=LIVE)
    shown = page.locator("#nodes").inner_text()
    for name in ("queue", "producer", "datastore-viewer"):
        assert f"inaetics-{name}-controller-" in shown
    assert "ace-provisioning-controller-" in shown


def test_the_graphs_draw(page: Page, viewer: str) -> None:
    """A canvas that stays empty looks like a graph to every other check."""
    open_live(page, viewer)
    inked = """id => {
        const canvas = document.querySelector(`#${id} canvas`);
        const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
        return pixels.some((value, index) => index % 4 === 3 && value > 0);
    }"""
    for graph in ("queue-graph", "flow-graph"):
        page.wait_for_function(inked, arg=graph, timeout=LIVE)


def test_the_provisioning_page_tells_who_runs_what(page: Page, provisioning: str, pictures: Path) -> None:
    """The original demonstrator's second address: each target, its bundles, and the agents that reported."""
    page.goto(provisioning)
    for target in ("felix_1", "felix_2", "felix_3", "felix_4"):
        expect(page.get_by_role("heading", name=target)).to_be_visible()
    expect(page.locator("body")).to_contain_text("queue 2.0.0: running", timeout=LIVE)
    page.screenshot(path=pictures / "provisioning.png", full_page=True)
