"""The provisioning server offers what its image carries and answers bad requests as such."""

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from demonstrator.contracts import wire
from demonstrator.contracts.manifest import BundleState, Report, parse
from demonstrator.provisioning.repository import Repository, pack
from demonstrator.provisioning.server import Provisioning
from tests.unit.demonstrator.local import SOURCE

Client = TestClient[Any, Any]


@pytest.fixture
def repository() -> Repository:
    return Repository.load(SOURCE / "bundles", SOURCE / "provisioning" / "targets.json")


def client(repository: Repository) -> Client:
    return TestClient(TestServer(Provisioning(repository).make_app()))


def test_the_originals_targets_have_their_bundles(repository: Repository) -> None:
    assert repository.targets == {
        "felix_1": ("datastore", "coordinator", "viewer"),
        "felix_2": ("queue",),
        "felix_3": ("processor",),
        "felix_4": ("producer",),
        "celix_2": ("queue-celix",),
        "celix_3": ("processor-celix",),
    }


def test_the_same_files_give_the_same_digest(tmp_path: Path) -> None:
    first = pack(SOURCE / "bundles" / "queue")
    copy = tmp_path / "another-place"
    copy.mkdir()
    for path in sorted((SOURCE / "bundles" / "queue").glob("*.*"), reverse=True):
        (copy / path.name).write_bytes(path.read_bytes())
    (copy / "__pycache__").mkdir()
    (copy / "__pycache__" / "x.pyc").write_bytes(b"whatever")
    assert pack(copy).digest == first.digest


def test_an_archive_is_importable_and_carries_its_manifest(repository: Repository) -> None:
    archive = zipfile.ZipFile(io.BytesIO(repository.bundles["viewer"].archive))
    names = archive.namelist()
    assert "demonstrator/bundles/viewer/static/index.html" in names
    assert parse(archive.read("bundle.json")).name == "viewer"


@pytest.mark.parametrize(
    ("member", "value"),
    [("name", "Queue"), ("version", "1.0"), ("module", "os; import sys"), ("imports", "all")],
)
def test_a_manifest_that_is_wrong_is_refused(member: str, value: str) -> None:
    manifest = json.loads((SOURCE / "bundles" / "queue" / "bundle.json").read_text())
    with pytest.raises(wire.WireError):
        parse(json.dumps(manifest | {member: value}).encode())


def test_a_target_without_its_bundle_is_refused(repository: Repository) -> None:
    with pytest.raises(LookupError, match="felix_9"):
        Repository(repository.bundles, {"felix_9": ("nothing",)})


@pytest.mark.asyncio
async def test_an_agent_gets_what_its_target_has(repository: Repository) -> None:
    async with client(repository) as agent:
        offers = await (await agent.get("/targets/felix_1")).json()
        assert [offer["name"] for offer in offers] == ["datastore", "coordinator", "viewer"]
        for offer in offers:
            content = await (await agent.get(offer["path"])).read()
            assert offer["digest"] == f"sha256:{hashlib.sha256(content).hexdigest()}"


@pytest.mark.asyncio
async def test_the_page_shows_targets_and_who_reported(repository: Repository) -> None:
    report = Report("felix_2", "<b>node</b>", (BundleState("queue", "1.0.0", "running"),))
    async with client(repository) as agent:
        answer = await agent.put("/agents/a-queue-pod", data=wire.dumps(report))
        assert answer.status == 204
        page = await (await agent.get("/")).text()
        for text in ("felix_1", "felix_4", "a-queue-pod", "queue 1.0.0: running", "No agent"):
            assert text in page
        assert "<b>node" not in page
        assert "a-queue-pod" in await (await agent.get("/agents")).json()


@pytest.mark.asyncio
async def test_only_the_latest_agents_are_remembered(repository: Repository) -> None:
    report = wire.dumps(Report("felix_2", "node", ()))
    async with client(repository) as agent:
        for number in range(250):
            await agent.put(f"/agents/pod-{number}", data=report)
        heard = await (await agent.get("/agents")).json()
    assert len(heard) == 200
    assert "pod-249" in heard


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/targets/felix_9", b"", 404),
        ("GET", "/bundles/queue/9.9.9", b"", 404),
        ("GET", "/bundles/../../etc/passwd", b"", 404),
        ("GET", "/nothing", b"", 404),
        ("POST", "/targets", b"", 405),
        ("PUT", "/agents/pod", b"", 400),
        ("PUT", "/agents/pod", b"{", 400),
        ("PUT", "/agents/pod", b"{}", 400),
        ("PUT", "/agents/pod", b"x" * 2**20, 413),
        ("PUT", "/agents/<script>", b"{}", 400),
    ],
)
async def test_bad_requests_are_told_so(
    repository: Repository, method: str, path: str, body: bytes, status: int
) -> None:
    async with client(repository) as agent:
        assert (await agent.request(method, path, data=io.BytesIO(body))).status == status
