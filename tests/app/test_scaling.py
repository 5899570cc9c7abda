"""Why: load comes, pods come; load goes, pods go. That is what an orchestrated demonstrator is shown for.

The original rule is the default.
"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser import LIVE, open_live

pytestmark = pytest.mark.usefixtures("steered")

CONVERGED = 15_000  # ms from a request to as many pods
UP = 60_000  # ms for the load to be seen and for another pod to run
DOWN = 150_000  # ms to work off a full queue and to go back to one processor


@pytest.fixture
def _as_it_was(page: Page, viewer: str) -> Iterator[None]:
    """Afterwards the slider is where it was: at 0 % nothing flows any more."""
    path = f"{viewer}coordinator/utilisation"
    before = page.request.get(path).json()["preferred_utilisation"]
    yield
    assert page.request.post(path, data={"preferred_utilisation": before}).ok


def slide(page: Page, key: str) -> None:
    """Set the slider by the keyboard, as people without a mouse do."""
    page.locator("#preference").press(key)


def await_rate(page: Page, holds: str) -> None:
    """Wait until the production rate on the page is as it has to be."""
    page.wait_for_function(
        f"() => {{ const rate = Number(document.querySelector('#produced-rate').textContent.replace(/\\D/g, ''));"
        f" return {holds}; }}",
        timeout=UP,
    )


@pytest.mark.usefixtures("_as_it_was")
def test_the_slider_changes_the_rate_and_processors_follow(page: Page, viewer: str) -> None:
    """A full queue brings processors, an idle one takes all but one of them away."""
    open_live(page, f"{viewer}dashboard")
    slide(page, "End")
    expect(page.locator("#preferred")).to_have_text("100")
    await_rate(page, "rate > 700")
    expect(page.locator("#processors-requested")).not_to_have_text("1", timeout=UP)
    expect(page.locator("#processors")).not_to_have_text("1", timeout=UP)
    slide(page, "Home")
    expect(page.locator("#preferred")).to_have_text("0")
    await_rate(page, "rate === 0")
    expect(page.locator("#processors-requested")).to_have_text("1", timeout=DOWN)
    expect(page.locator("#processors")).to_have_text("1", timeout=CONVERGED)


def test_plus_and_minus_change_the_producers(page: Page, viewer: str) -> None:
    """Requested at once, there within 15 s, and never more than four or fewer than one."""
    open_live(page, f"{viewer}dashboard")
    expect(page.locator("#producers-requested")).to_have_text("1", timeout=LIVE)
    expect(page.locator("#fewer")).to_have_attribute("aria-disabled", "true")
    for number in ("2", "3", "4"):
        page.locator("#more").click()
        expect(page.locator("#producers-requested")).to_have_text(number)
    expect(page.locator("#more")).to_have_attribute("aria-disabled", "true")
    expect(page.locator("#producers")).to_have_text("4", timeout=CONVERGED)
    for number in ("3", "2", "1"):
        page.locator("#fewer").click()
        expect(page.locator("#producers-requested")).to_have_text(number)
    expect(page.locator("#producers")).to_have_text("1", timeout=CONVERGED)


def test_no_other_page_changes_anything(page: Page, viewer: str) -> None:
    """A page from elsewhere that a visitor has open must not steer the cluster."""
    open_live(page, f"{viewer}dashboard")
    path = f"{viewer}coordinator/systemStats"
    before = page.request.get(path).json()["producers"]
    for headers in ({"Origin": "http://elsewhere.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert page.request.post(path, data={"producers": 4}, headers=headers).status == 403
    assert page.request.post(path, data={"producers": 5}).status == 400
    assert page.request.get(path).json()["producers"]["requested"] == before["requested"]
