"""A presenter clicks through all pages, by mouse or keyboard, on a screen or a phone."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser import LIVE, PAGES, open_live
from tests.support.polling import wait_until

each_page = pytest.mark.parametrize("path", PAGES, ids=lambda path: path or "overview")

# What the queue's graph shows: seconds before the newest moment, and where the line is then, in percent.
DRAWN = """() => {
    const root = document.querySelector('#queue-graph');
    const canvas = root.querySelector('canvas');
    const area = root.querySelector('.u-over');
    const ratio = canvas.width / canvas.clientWidth;
    const [left, top, width, height] =
        [area.offsetLeft, area.offsetTop, area.offsetWidth, area.offsetHeight].map((length) => length * ratio);
    const shade = getComputedStyle(document.documentElement).getPropertyValue('--queue').match(/[0-9a-f]{2}/g)
        .map((channel) => parseInt(channel, 16));
    const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
    const drawn = [];
    for (let age = 3; age < 60; age += 3) {
        const x = Math.round(left + width * (1 - age / 180));
        for (let y = Math.max(0, Math.round(top) - 3); y < Math.min(canvas.height, top + height + 3); y++) {
            const at = 4 * (y * canvas.width + x);
            if (shade.every((channel, index) => Math.abs(channel - pixels[at + index]) < 24)) {
                drawn.push([age, 100 * (1 - (y + ratio - top) / height)]);
                break;
            }
        }
    }
    return drawn;
}"""


@each_page
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 360)])
def test_every_page_is_live_and_nothing_is_cut_off(
    page: Page, viewer: str, pictures: Path, path: str, scheme: Any, width: int
) -> None:
    """No script fails and nobody else is asked: the fixture sees to that. The screenshots are for people."""
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    open_live(page, viewer + path)
    expect(page.locator("nav a[aria-current]")).to_have_attribute("href", f"/{path}")
    page.screenshot(path=pictures / f"{path or 'overview'}-{scheme}-{width}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_the_navigation_leads_to_every_page(page: Page, viewer: str) -> None:
    """By keyboard: the first Tab offers the way past the navigation, the next ones its links."""
    open_live(page, viewer)
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    for path in PAGES[1:]:
        page.locator(f"header nav a[href='/{path}']").focus()
        page.keyboard.press("Enter")
        expect(page).to_have_url(viewer + path)
        expect(page.locator("#link-text")).to_have_text("live", timeout=LIVE)


def test_a_graph_draws_what_the_interface_says(page: Page, viewer: str) -> None:
    """The line's own pixels, read as utilisation, are those of the history."""
    open_live(page, viewer)

    def read() -> list[list[float]]:
        found: list[list[float]] = page.evaluate(DRAWN)
        return found

    drawn = wait_until(read, "the line is there", lambda found: len(found) > 5, seconds=LIVE / 1000)
    history = page.request.get(f"{viewer}coordinator/utilisation").json()["history"]
    newest = history[-1]["at"]
    for age, value in drawn:
        near = [point["utilisation"] for point in history if abs(newest - age - point["at"]) <= 3]
        assert min(near) - 3 <= value <= max(near) + 3, (age, value, near)


def test_stats_has_a_graph_for_each_figure(page: Page, viewer: str) -> None:
    """Each component that provides figures is there, and nothing else."""
    open_live(page, f"{viewer}stats")
    shown = "figures => figures.map(({dataset}) => [dataset.component, dataset.pod, dataset.figure])"

    def both() -> tuple[list[Any], list[Any]]:
        series = page.request.get(f"{viewer}coordinator/figures").json()["series"]
        told = [[item["component"], item["pod"], item["name"]] for item in series]
        return sorted(told), sorted(page.locator("#providers figure").evaluate_all(shown))

    told, _ = wait_until(both, "each figure has its graph", lambda seen: seen[0] == seen[1], seconds=LIVE / 1000)
    assert {"producer", "queue", "datastore"} <= {component for component, _, _ in told}
    expect(page.locator("#providers figure canvas")).to_have_count(len(told))


def test_a_scaling_is_among_the_events(page: Page, viewer: str) -> None:
    """People without a mouse use the keyboard: the log tells what was pressed, and by whom."""
    open_live(page, f"{viewer}dashboard")
    requested = page.locator("#producers-requested")
    expect(requested).to_have_text("1", timeout=LIVE)
    try:
        page.locator("#more").focus()
        page.keyboard.press("Enter")
        expect(requested).to_have_text("2")
        open_live(page, f"{viewer}events")
        page.get_by_role("radio", name="scaled").check()
        newest = page.locator("#log li.scaled", has_text="inaetics-producer-controller").first
        expect(newest).to_contain_text("1 → 2 replicas", timeout=LIVE)
        expect(newest).to_contain_text("by a person")
        expect(page.locator("#log li:not(.scaled, .set)")).to_have_count(0)
    finally:
        page.request.post(f"{viewer}coordinator/systemStats", data={"producers": 1})


def test_every_node_is_shown_with_its_state_and_its_containers(page: Page, viewer: str) -> None:
    open_live(page, f"{viewer}dashboard")
    nodes = page.request.get(f"{viewer}coordinator/clusterInfo").json()["nodes"]
    assert {node["ready"] for node in nodes if node["name"]} == {True}
    for node in nodes:
        card = page.locator(".node", has_text=node["name"])
        expect(card).to_contain_text("Ready")
        for pod in node["pods"]:
            expect(card).to_contain_text(f"{pod['containers'][0]['name']}: running")
