"""The demonstrator on loopback, and the native bundles' libraries, compiled as `prepare` compiles them."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
import pytest_asyncio

from demonstrator.lib.native import Library, open_library
from runner.prepare import builds
from runner.prepare.artifacts import Work
from runner.prepare.cache import Cache
from runner.process import JobRunner
from tests.support.demonstrator.local import SOURCE, Local

BUNDLES = SOURCE / "bundles"


@pytest_asyncio.fixture
async def local(tmp_path: Path) -> AsyncIterator[Local]:
    """The Kubernetes API's stand-in and the provisioning server; a test that fails shows all logs."""
    async with Local(tmp_path) as running:
        yield running
        for log in sorted(tmp_path.glob("*.log")):
            print(log.name, log.read_text())


@pytest.fixture(scope="session")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """The library of each native bundle, by the bundle's directory."""
    work = Work(Cache(tmp_path_factory.mktemp("cache")), lambda event: None, JobRunner())
    return {
        bundle.name: work.provide(builds.native_library(bundle, work))[builds.LIBRARY]
        for bundle in builds.native_bundles(BUNDLES)
    }


@pytest.fixture(scope="session")
def queue_library(libraries: Mapping[str, Path]) -> Library:
    return open_library((BUNDLES / "queue_celix" / "queue.h").read_text(), libraries["queue_celix"])


@pytest.fixture(scope="session")
def processor_library(libraries: Mapping[str, Path]) -> Library:
    return open_library((BUNDLES / "processor_celix" / "processor.h").read_text(), libraries["processor_celix"])
