"""Why: before an audience a page that stands still must say so and come back, and only who may steers."""

import secrets
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser import LIVE, open_live
from tests.support.cluster.demonstrator import await_coordinator
from tests.support.cluster.disruption import BACK, run
from tests.support.cluster.site import site

pytestmark = [pytest.mark.disruptive, pytest.mark.usefixtures("steered")]

STALE = 10_000  # ms from the end of its pod until the page tells
VIEWER = "inaetics-datastore-viewer-controller"


@pytest.fixture
def password(viewer: str) -> Iterator[str]:
    """Set a password for changes on the dashboard until the test is over."""
    password = secrets.token_urlsafe()
    try:
        site("--tags", "inaetics-app", "--extra-vars", f"inaetics_app_dashboard_password={password}")
        await_coordinator(viewer)
        yield password
    finally:
        site("--tags", "inaetics-app")


def scale(replicas: int) -> None:
    """Have so many pods with the page; none is the only end that is sure to last."""
    run(sys.executable, "-m", "runner", "kubectl", "--", "scale", "rc", VIEWER, f"--replicas={replicas}")


def test_a_page_without_news_says_so_and_comes_back_by_itself(troubled: Page, viewer: str) -> None:
    open_live(troubled, f"{viewer}dashboard")
    try:
        scale(0)
        expect(troubled.locator("#link-text")).to_contain_text("no news for", timeout=STALE)
    finally:
        scale(1)
    expect(troubled.locator("#link-text")).to_have_text("live", timeout=BACK * 1000)
    expect(troubled.locator("#balance")).to_contain_text("The sum is exact", timeout=LIVE)


def test_a_password_is_asked_for_once(troubled: Page, password: str, viewer: str) -> None:
    open_live(troubled, f"{viewer}dashboard")
    requested, dialog = troubled.locator("#producers-requested"), troubled.get_by_role("dialog")

    def press(button: str, answer: str = "") -> None:
        """Press a button, and give the password that is asked for then."""
        troubled.locator(button).click()
        if answer:
            dialog.get_by_label("Password", exact=True).fill(answer)
            troubled.keyboard.press("Enter")
            expect(dialog).to_be_hidden()

    press("#more", "not that one")
    expect(troubled.locator("#refusal")).to_have_text("Not changed: the dashboard's password is needed.")
    expect(requested).to_have_text("1")
    press("#more", password)
    expect(requested).to_have_text("2")
    expect(troubled.locator("#refusal")).to_be_hidden()
    press("#fewer")
    expect(requested).to_have_text("1")
    expect(dialog).to_be_hidden()
