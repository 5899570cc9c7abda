"""The original demonstrator's switch2celix: another queue takes over in full flow, and the accounting holds."""

from collections.abc import Iterator
from typing import Any

import pytest

from runner.declaration.model import Declaration
from tests.support.cluster.demonstrator import Demonstrator
from tests.support.cluster.pods import CoreApi
from tests.support.cluster.site import site

QUEUES = {"felix": "inaetics-queue", "celix": "inaetics-queue-celix"}


def others(core: CoreApi) -> dict[str, str]:
    """The replication controllers, as they were created, and the pods that no scaling touches."""
    controllers = core.list_namespaced_replication_controller("default").items
    pods = core.list_namespaced_pod("default").items
    kept = [one for one in pods if not one.metadata.labels["name"].startswith(("inaetics-processor", *QUEUES.values()))]
    return {one.metadata.name: one.metadata.uid for one in (*controllers, *kept)}


@pytest.fixture
def _felix_again() -> Iterator[None]:
    """Switch to the default queue after the test, also when it failed."""
    yield
    site("--tags", "inaetics-app")


@pytest.mark.usefixtures("_felix_again")
def test_celix_takes_over_and_felix_takes_back(core: CoreApi, declaration: Declaration) -> None:
    demonstrator = Demonstrator(core, f"http://{declaration.controller.address}")
    before, untouched = demonstrator.flows(), others(core)
    for kind in ("celix", "felix"):
        arguments = ("--tags", "inaetics-app", "-e", f"inaetics_app_queue={kind}")
        assert site(*arguments) == [f"inaetics-app : {task}" for task in ("Start new queue", "Stop old queue")]
        assert site(*arguments) == []
        running: list[Any] = core.list_namespaced_pod("default").items
        names = [one.metadata.labels["name"] for one in running]
        assert [name for name in names if name.startswith("inaetics-queue")] == [f"{QUEUES[kind]}-pod"]
        after = demonstrator.flows()
        assert after["lost"] == before["lost"]
        assert after["refused"] == before["refused"]
    assert others(core) == untouched
