"""The native bundles' libraries, compiled as `prepare` compiles them."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from demonstrator.lib.native import Library, open_library
from runner.prepare import native
from runner.process import JobRunner
from tests.support.demonstrator.local import SOURCE

BUNDLES = SOURCE / "bundles"


@pytest.fixture(scope="session")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """The library of each native bundle, by the bundle's directory."""
    return {
        bundle: native.build(bundle, files, JobRunner(), lambda event: None, tmp_path_factory.mktemp(bundle))[
            native.LIBRARY
        ]
        for bundle, files in native.bundles(BUNDLES).items()
    }


@pytest.fixture(scope="session")
def queue_library(libraries: Mapping[str, Path]) -> Library:
    return open_library((BUNDLES / "queue_celix" / "queue.h").read_text(), libraries["queue_celix"])


@pytest.fixture(scope="session")
def processor_library(libraries: Mapping[str, Path]) -> Library:
    return open_library((BUNDLES / "processor_celix" / "processor.h").read_text(), libraries["processor_celix"])
