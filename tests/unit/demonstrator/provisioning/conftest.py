"""A provisioning server on loopback, with a stand-in for the cluster that keeps its state."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from aiohttp.test_utils import TestClient, TestServer

from demonstrator.lib.kubernetes import Kubernetes
from demonstrator.provisioning.config_map_store import ConfigMapStore
from demonstrator.provisioning.image import Image, load_image
from demonstrator.provisioning.repository import Repository
from demonstrator.provisioning.server import ProvisioningServer
from tests.support.demonstrator.kubernetes import KubernetesApi
from tests.unit.demonstrator.provisioning.client import TOKEN, Client, Network, Start


@pytest.fixture
def image() -> Image:
    return load_image()


@pytest.fixture
def api() -> KubernetesApi:
    return KubernetesApi()


@pytest.fixture
def network() -> Network:
    return Network()


@pytest_asyncio.fixture
async def start(api: KubernetesApi, network: Network, image: Image, tmp_path: Path) -> AsyncIterator[Start]:
    """Starts a provisioning server whose cluster is `api`."""
    (tmp_path / "token").write_text(KubernetesApi.TOKEN)
    (tmp_path / "sum").write_text(hashlib.sha256(TOKEN["Authorization"].removeprefix("Bearer ").encode()).hexdigest())

    @asynccontextmanager
    async def start(image: Image = image) -> AsyncIterator[Client]:
        cluster_app = api.make_app()
        cluster_app.middlewares.append(network.middleware)
        async with TestServer(cluster_app) as cluster, aiohttp.ClientSession() as session:
            kubernetes = Kubernetes(str(cluster.make_url("")).rstrip("/"), tmp_path, session)
            repository = Repository(image, ConfigMapStore(kubernetes, "inaetics-provisioning"))
            await repository.load()
            app = ProvisioningServer(repository, tmp_path / "sum").make_app()
            async with TestClient(TestServer(app)) as client:
                yield client

    yield start


@pytest_asyncio.fixture
async def client(start: Start) -> AsyncIterator[Client]:
    async with start() as client:
        yield client
