"""The pages as a visitor meets them: Debian's Chromium, driven by Playwright."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from runner.declaration.model import Declaration, load
from runner.machines import hosts
from runner.state import DECLARATION, State
from tests.support.browser import chromium
from tests.support.cluster.demonstrator import await_coordinator


@pytest.fixture(scope="session")
def declaration() -> Declaration:
    """The user's declaration of the cluster."""
    declaration = load(DECLARATION)
    if not hosts.bridge_present(declaration):
        pytest.fail(f"{declaration.network} is not on this machine: nothing may be sent there. `make site` raises it.")
    return declaration


@pytest.fixture(scope="session")
def viewer(declaration: Declaration) -> str:
    """The demonstrator's address."""
    return f"http://{declaration.controller.address}/"


@pytest.fixture(scope="module")
def steered(viewer: str) -> None:
    """Wait until a coordinator acts: the tests before may have just replaced all pods."""
    await_coordinator(viewer)


@pytest.fixture(scope="session")
def provisioning(declaration: Declaration) -> str:
    """The provisioning server's address."""
    return f"http://{declaration.controller.address}:90/"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser for all tests; each test gets a page of its own."""
    with chromium() as browser:
        yield browser


@pytest.fixture
def troubled(browser: Browser) -> Iterator[Page]:
    """A page that meets refusals and silence, which Chromium's console reports as errors too."""
    page = browser.new_page()
    yield page
    page.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page whose scripts must not fail and which must ask nobody but the cluster."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    faults: list[str] = []
    asked: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: asked.append(request.url))
    yield page
    origin = "/".join(page.url.split("/")[:3])
    page.close()
    assert faults == []
    assert [url for url in asked if not url.startswith(origin)] == []


@pytest.fixture(scope="session")
def pictures() -> Path:
    """The directory of screenshots, for people to look at."""
    directory = State().directory / "pictures"
    directory.mkdir(parents=True, exist_ok=True)
    return directory
