"""Retakes the pictures of the pages in docs/pictures from the running cluster: `python -m bench.pictures`."""

import sys

from runner import hosts
from runner.declaration import load
from runner.paths import CHECKOUT, DECLARATION
from tests.app.live import PAGES, chromium, open_live

FIRST = "viewer"
LONG = ("stats", "events")  # of these the first screen tells enough


def main() -> None:
    """Take a picture of each page, as wide as the README shows it."""
    declaration = load(DECLARATION)
    if not hosts.bridge_present(declaration):
        sys.exit(f"error: {declaration.network} is not on this machine: `make site` raises it")
    address = f"http://{declaration.controller.address}/"
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme="dark")
        for path in PAGES:
            open_live(page, address + path)
            file = CHECKOUT / "docs" / "pictures" / f"{path or FIRST}.png"
            page.screenshot(path=file, full_page=path not in LONG)
            print(file.relative_to(CHECKOUT))


if __name__ == "__main__":
    main()
