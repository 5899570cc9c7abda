"""What every test of the demonstrator's page begins with."""

from playwright.sync_api import Page, expect

LIVE = 15_000  # ms; the page counts as live when its first figures are in


def open_live(page: Page, viewer: str) -> None:
    """Open the page and wait until it is live."""
    page.goto(viewer)
    expect(page.locator("#link-text")).to_have_text("live", timeout=LIVE)
