"""The health file follows the event loop, not the process."""

import asyncio
import threading
import time
from pathlib import Path

import pytest

from demonstrator.agent.health import Health
from demonstrator.agent.settings import Settings, SettingsError

ENVIRONMENT = {
    "AGENT_TARGET_ID": "felix_2",
    "POD_NAME": "a-pod",
    "POD_NAMESPACE": "default",
    "NODE_NAME": "a-node",
    "PROVISIONING_URL": "http://ace-provisioning-service:90/",
}


def wait_until(condition: object) -> None:
    limit = time.monotonic() + 5
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < limit
        time.sleep(0.01)


@pytest.mark.asyncio
async def test_a_stuck_loop_loses_the_file_and_finds_it_again(tmp_path: Path) -> None:
    path = tmp_path / "health"
    health = Health(path, asyncio.get_running_loop(), interval=0.02, patience=0.2)
    health.start()
    await asyncio.to_thread(wait_until, path.exists)
    gone = threading.Event()

    def watch() -> None:
        wait_until(lambda: not path.exists())
        gone.set()

    threading.Thread(target=watch, daemon=True).start()
    gone.wait(5)  # blocks the loop, as a stuck bundle would
    assert gone.is_set()
    await asyncio.to_thread(wait_until, path.exists)
    await asyncio.to_thread(health.stop)
    assert not path.exists()


@pytest.mark.asyncio
async def test_a_failure_is_for_good(tmp_path: Path) -> None:
    path = tmp_path / "health"
    health = Health(path, asyncio.get_running_loop(), interval=0.02, patience=0.2)
    health.start()
    await asyncio.to_thread(wait_until, path.exists)
    health.fail("a test")
    await asyncio.sleep(0.1)
    assert not path.exists()
    await asyncio.to_thread(health.stop)


def test_settings_come_from_the_environment() -> None:
    settings = Settings.read(ENVIRONMENT | {"KUBERNETES_SERVICE_HOST": "10.3.0.1", "KUBERNETES_SERVICE_PORT": "443"})
    assert settings.identity.target == "felix_2"
    assert settings.provisioning_url == "http://ace-provisioning-service:90"
    assert settings.kubernetes_url == "https://10.3.0.1:443"
    assert settings.state == Path("/tmp")  # noqa: S108 - the pod's own volume


@pytest.mark.parametrize("name", ENVIRONMENT)
def test_a_missing_setting_is_named(name: str) -> None:
    with pytest.raises(SettingsError, match=name):
        Settings.read(ENVIRONMENT | {name: ""})


@pytest.mark.parametrize("value", ["0", "70000", "http"])
def test_a_port_that_is_none_is_named(value: str) -> None:
    with pytest.raises(SettingsError, match="AGENT_PAGES_PORT"):
        Settings.read(ENVIRONMENT | {"AGENT_PAGES_PORT": value})
