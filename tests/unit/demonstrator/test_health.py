"""The health file follows the event loop, not the process."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from demonstrator.agent.runtime import AgentRuntime, Health
from demonstrator.agent.settings import Settings, SettingsError
from demonstrator.platform import Identity
from tests.support.polling import wait_until

ENVIRONMENT = {
    "AGENT_TARGET_ID": "felix_2",
    "POD_NAME": "a-pod",
    "POD_NAMESPACE": "default",
    "NODE_NAME": "a-node",
    "PROVISIONING_URL": "http://ace-provisioning-service:90/",
}


async def test_a_stuck_loop_loses_the_file_and_finds_it_again(tmp_path: Path) -> None:
    path = tmp_path / "health"
    health = Health(path, asyncio.get_running_loop(), interval=0.02, timeout=0.2)
    health.start()
    await asyncio.to_thread(wait_until, path.exists, "the file is there", seconds=30)
    gone = threading.Event()

    def watch() -> None:
        wait_until(lambda: not path.exists(), "the file is gone", seconds=30)
        gone.set()

    threading.Thread(target=watch, daemon=True).start()
    gone.wait(5)  # blocks the loop, as a stuck bundle would
    assert gone.is_set()
    await asyncio.to_thread(wait_until, path.exists, "the file is there", seconds=30)
    await health.stop()
    assert not path.exists()


async def test_a_failure_is_for_good(tmp_path: Path) -> None:
    path = tmp_path / "health"
    health = Health(path, asyncio.get_running_loop(), interval=0.02, timeout=0.2)
    health.start()
    await asyncio.to_thread(wait_until, path.exists, "the file is there", seconds=30)
    health.fail("a test")
    await asyncio.sleep(0.1)
    assert not path.exists()
    await health.stop()


class _ObservedLoop:
    """The loop, and an event that tells when the health's thread waits for it."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self._loop = asyncio.get_running_loop()

    def call_soon_threadsafe(self, callback: Callable[[], None]) -> None:
        self._loop.call_soon_threadsafe(callback)
        self.asked.set()


async def test_stopping_does_not_block_the_loop_that_the_thread_waits_for(tmp_path: Path) -> None:
    path, loop = tmp_path / "health", _ObservedLoop()
    health = Health(path, loop, interval=0.02, timeout=3_600)  # type: ignore[arg-type]
    health.start()
    assert loop.asked.wait(5)
    await health.stop()
    assert not path.exists()


async def test_a_task_that_fails_makes_the_agent_unhealthy(tmp_path: Path) -> None:
    path = tmp_path / "health"
    health = Health(path, asyncio.get_running_loop(), interval=0.02)
    health.start()
    await asyncio.to_thread(wait_until, path.exists, "the file is there", seconds=30)
    runtime = AgentRuntime(Identity("felix_2", "a-pod", "default", "a-node"), health)

    async def fail() -> None:
        raise ZeroDivisionError

    await asyncio.wait([runtime.spawn(fail(), "test")])
    await asyncio.to_thread(wait_until, lambda: not path.exists(), "the file is gone", seconds=30)
    await health.stop()


def test_settings_come_from_the_environment() -> None:
    settings = Settings(ENVIRONMENT | {"KUBERNETES_SERVICE_HOST": "10.3.0.1", "KUBERNETES_SERVICE_PORT": "443"})
    assert settings.identity.target == "felix_2"
    assert settings.provisioning_url == "http://ace-provisioning-service:90"
    assert settings.kubernetes_url == "https://10.3.0.1:443"
    assert settings.state == Path("/tmp")  # noqa: S108 - the pod's own volume


@pytest.mark.parametrize("name", ENVIRONMENT)
def test_a_missing_setting_is_named(name: str) -> None:
    with pytest.raises(SettingsError, match=name):
        Settings(ENVIRONMENT | {name: ""})


@pytest.mark.parametrize("value", ["0", "70000", "http"])
def test_a_port_that_is_none_is_named(value: str) -> None:
    with pytest.raises(SettingsError, match="AGENT_PAGES_PORT"):
        Settings(ENVIRONMENT | {"AGENT_PAGES_PORT": value})
