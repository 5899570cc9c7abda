"""A cache in a temporary directory, a server on loopback, and the events of a step."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runner.events import Event
from runner.prepare.cache import Cache
from runner.prepare.download import Downloader
from runner.process import JobRunner
from tests.support.http_server import Server, serving


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as state:
        yield state


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def report(events: list[Event]) -> Callable[[Event], None]:
    return events.append


@pytest.fixture
def downloader(report: Callable[[Event], None]) -> Downloader:
    return Downloader(JobRunner(), report, connect_seconds=1, silence_seconds=0.5)
