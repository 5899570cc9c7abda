"""A cache in a temporary directory, a server on loopback, and the events of a step."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.events import Event
from runner.prepare.artifacts import Work
from runner.prepare.cache import Cache
from runner.prepare.sources import Downloader
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
def work(cache: Cache, events: list[Event]) -> Work:
    return Work(cache, events.append, JobRunner())


@pytest.fixture
def downloader(work: Work) -> Downloader:
    impatient = Downloader(work)
    impatient.timeout = (1, 0.5)
    return impatient
