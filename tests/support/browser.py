"""A browser, and a page that is live: the start of every test of the demonstrator's pages."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, expect, sync_playwright

LIVE = 15_000  # ms; a page counts as live when its first figures are in
PAGES = ("", "dashboard", "stats", "events")

CHROMIUM = "/usr/bin/chromium"
# Chromium's own sandbox does not start for root; the other switches keep it from calling its maker.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


def open_live(page: Page, address: str) -> None:
    """Open a page and wait until it is live."""
    page.goto(address)
    expect(page.locator("#link-text")).to_have_text("live", timeout=LIVE)
