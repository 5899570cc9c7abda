"""The demonstrator on loopback: real agents and a real provisioning server, a process each.

What stands in is the Kubernetes API: see kubernetes.py. Each process sees just the files that its
image carries.
"""

import asyncio
import hashlib
import os
import shutil
import signal
import socket
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Self

import aiohttp
from aiohttp import web

from demonstrator.lib.native import LIBRARY
from tests.support.demonstrator.kubernetes import KubernetesApi
from tests.support.polling import wait_until_async

SOURCE = Path(__file__).resolve().parents[3] / "demonstrator"
# An agent or a server that starts does not answer, or does not know yet what is asked for.
NOT_YET = (aiohttp.ClientError, LookupError, RuntimeError)
# The kubelet's grace period: what has not ended then is killed.
GRACE_SECONDS = 30.0

wait_until = partial(wait_until_async, seconds=20.0, tolerating=NOT_YET)

AGENT_PARTS = ("lib", "platform", "remote", "model", "services", "components", "agent")
PROVISIONING_PARTS = ("lib", "platform", "remote", "model", "provisioning", "bundles")

# What tells a process of Python that its coverage is measured; empty where it is not.
_MEASURED = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_PROCESS")}


def free_port() -> int:
    """A port that nobody listens on at any loopback address."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


@dataclass
class Agent:
    """A running agent."""

    pod: str
    address: str
    state: Path
    process: asyncio.subprocess.Process
    log: Path

    @property
    def healthy(self) -> bool:
        return (self.state / "health").exists()


@dataclass
class Local:
    """Everything that runs, and ways to talk to it."""

    directory: Path
    api: KubernetesApi = field(default_factory=KubernetesApi)
    pages_port: int = field(default_factory=free_port)
    services_port: int = field(default_factory=free_port)
    agents: dict[str, Agent] = field(default_factory=dict)
    # The libraries of native bundles, by the bundle's directory.
    libraries: Mapping[str, Path] = field(default_factory=dict)

    async def __aenter__(self) -> Self:
        self._exit = AsyncExitStack()
        self.session = await self._exit.enter_async_context(aiohttp.ClientSession())
        runner = web.AppRunner(self.api.make_app(), shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        self._exit.push_async_callback(runner.cleanup)
        api_port = free_port()
        await web.TCPSite(runner, "127.0.0.1", api_port).start()
        self.api_url = f"http://127.0.0.1:{api_port}"
        self.account = self.directory / "account"
        self.account.mkdir()
        (self.account / "token").write_text(KubernetesApi.TOKEN)
        self.token = self.directory / "provisioning-token"
        self.token.write_text("the-token")
        self.credential = self.directory / "credential"
        self.credential.write_text(hashlib.sha256(b"the-token").hexdigest())
        self.provisioning_port = free_port()
        self.provisioning_url = f"http://127.0.0.1:{self.provisioning_port}"
        await self.start_provisioning()
        return self

    async def start_provisioning(self) -> None:
        """Start the provisioning server, at the address that it had before, and wait until it answers."""
        self.provisioning, _ = await self._start(
            "provisioning",
            PROVISIONING_PARTS,
            {
                "PROVISIONING_LISTEN": "127.0.0.1",
                "PROVISIONING_PORT": str(self.provisioning_port),
                "PROVISIONING_NAMESPACE": "inaetics-provisioning",
                "PROVISIONING_CREDENTIAL": str(self.credential),
                "KUBERNETES_URL": self.api_url,
                "SERVICE_ACCOUNT_DIR": str(self.account),
            },
        )

        async def ready() -> bool:
            async with self.session.get(f"{self.provisioning_url}/ready") as response:
                return response.status == 200

        await wait_until(ready, "the provisioning server is ready")

    async def change(self, method: str, path: str, **body: Any) -> Any:
        """Ask the provisioning server for a change, with the token."""
        headers = {"Authorization": f"Bearer {self.token.read_text()}"}
        url = self.provisioning_url + path
        async with self.session.request(method, url, headers=headers, raise_for_status=True, **body) as response:
            return None if response.status == 204 else await response.json()

    async def reported(self, pod: str) -> dict[str, str]:
        """Return the bundles of an agent's last report: state by "NAME VERSION"."""
        async with self.session.get(f"{self.provisioning_url}/agents", raise_for_status=True) as response:
            bundles = (await response.json())[pod]["report"]["bundles"]
        return {f"{bundle['name']} {bundle['version']}": bundle["state"] for bundle in bundles}

    async def __aexit__(self, *error: object) -> None:
        await self._exit.aclose()

    def image(self, parts: tuple[str, ...]) -> Path:
        """A directory with just these parts of the package, as an image has them."""
        root = self.directory / "-".join(parts)
        if not root.exists():
            for part in parts:
                shutil.copytree(SOURCE / part, root / "demonstrator" / part)
            for bundle, library in self.libraries.items() if "bundles" in parts else ():
                shutil.copy(library, root / "demonstrator" / "bundles" / bundle / LIBRARY)
        return root

    async def start_agent(self, target: str, pod: str, **environment: str) -> Agent:
        """Start an agent as a pod on an address of its own."""
        address = f"127.0.1.{len(self.agents) + 1}"
        state = self.directory / pod
        state.mkdir()
        process, log = await self._start(
            "agent",
            AGENT_PARTS,
            {
                "AGENT_TARGET_ID": target,
                "AGENT_LISTEN": address,
                "AGENT_PAGES_PORT": str(self.pages_port),
                "AGENT_SERVICES_PORT": str(self.services_port),
                "AGENT_STATE_DIR": str(state),
                "PROVISIONING_URL": self.provisioning_url,
                "KUBERNETES_URL": self.api_url,
                "SERVICE_ACCOUNT_DIR": str(self.account),
                "POD_NAME": pod,
                "POD_NAMESPACE": "default",
                "NODE_NAME": f"172.17.8.{30 + len(self.agents) + 1}",
                **environment,
            },
            pod,
        )
        agent = self.agents[pod] = Agent(pod, address, state, process, log)
        self.api.add_pod(pod, address, f"172.17.8.{30 + len(self.agents)}", self.services_port)
        return agent

    async def stop_agent(self, pod: str, number: int = signal.SIGTERM) -> None:
        """End an agent as the kubelet does, and take its pod away."""
        agent = self.agents[pod]
        if number == signal.SIGTERM:
            self.api.terminate_pod(pod)
        agent.process.send_signal(number)
        async with asyncio.timeout(GRACE_SECONDS):
            await agent.process.wait()
        self.api.remove_pod(pod)

    async def page(self, agent: Agent, path: str) -> Any:
        """JSON from an agent's port for people."""
        url = f"http://{agent.address}:{self.pages_port}{path}"
        async with self.session.get(url, raise_for_status=True) as response:
            return await response.json()

    def url(self, agent: Agent, path: str = "") -> str:
        """An address at an agent's port for other agents."""
        return f"http://{agent.address}:{self.services_port}/services{path}"

    async def call(self, agent: Agent, contract: str, method: str, **arguments: Any) -> Any:
        """Call an exported service."""
        listing = await self.page(agent, "/services")
        number = {service["contract"]: service["id"] for service in listing["services"]}[contract]
        url = self.url(agent, f"/{number}/{contract}/{method}")
        async with self.session.post(url, json=arguments, raise_for_status=True) as response:
            return (await response.json())["result"]

    async def _start(
        self, module: str, parts: tuple[str, ...], environment: dict[str, str], name: str = ""
    ) -> tuple[asyncio.subprocess.Process, Path]:
        log = self.directory / f"{name or module}.log"
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                f"demonstrator.{module}",
                cwd=self.directory,
                env={
                    "PATH": os.environ["PATH"],
                    "PYTHONPATH": str(self.image(parts)),
                    **_MEASURED,
                    **environment,
                },
                stdout=output,
                stderr=output,
            )
        self._exit.push_async_callback(_end, process)
        return process, log


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    if _MEASURED:  # a killed process saves no coverage
        process.terminate()
        with suppress(TimeoutError):
            async with asyncio.timeout(2):
                await process.wait()
                return
    process.kill()
    await process.wait()
