"""The provisioning server's offers, and the state that outlives the server."""

import hashlib
import html
import io
import json
import zipfile
from pathlib import Path

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer

from demonstrator.lib import codec
from demonstrator.lib.kubernetes import Kubernetes
from demonstrator.platform.manifest import BundleState, Report, parse
from demonstrator.provisioning import server
from demonstrator.provisioning.archive import check_archive
from demonstrator.provisioning.config_map_store import ConfigMapStore
from demonstrator.provisioning.image import Image
from demonstrator.provisioning.pack import pack
from demonstrator.provisioning.repository import Repository
from demonstrator.provisioning.server import ProvisioningServer
from tests.support.demonstrator.kubernetes import KubernetesApi
from tests.support.demonstrator.local import SOURCE
from tests.unit.demonstrator.provisioning.client import Client, Start, change, packed, told, versions, zipped


def test_the_originals_targets_have_their_bundles(image: Image) -> None:
    assert {target: tuple(ref.name for ref in refs) for target, refs in image.targets.items()} == {
        "felix_1": ("datastore", "coordinator", "viewer"),
        "felix_2": ("queue",),
        "felix_3": ("processor",),
        "felix_4": ("producer",),
        "celix_2": ("queue-celix",),
        "celix_3": ("processor-celix",),
    }


def test_the_same_files_give_the_same_digest(tmp_path: Path) -> None:
    copy = tmp_path / "another-place"
    copy.mkdir()
    for path in sorted((SOURCE / "bundles" / "queue").glob("*.*"), reverse=True):
        (copy / path.name).write_bytes(path.read_bytes())
    (copy / "__pycache__").mkdir()
    (copy / "__pycache__" / "x.pyc").write_bytes(b"whatever")
    assert pack(copy) == pack(SOURCE / "bundles" / "queue")


def test_an_archive_is_importable_and_carries_its_manifest(image: Image) -> None:
    viewer = image.bundles["viewer"]
    assert "demonstrator/bundles/viewer/templates/overview.html" in viewer.files
    assert parse(zipfile.ZipFile(io.BytesIO(viewer.content)).read("bundle.json")).name == "viewer"


def test_the_images_own_bundles_would_be_taken_as_uploads(image: Image) -> None:
    for bundle in image.bundles.values():
        assert check_archive(bundle.content) == bundle


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("name", "Queue"),
        ("name", "queue-"),
        ("name", "queue\n"),
        ("version", "1.0"),
        ("version", "1.0.0\n"),
        ("module", "os; import sys"),
        ("imports", "all"),
    ],
)
def test_a_manifest_that_is_wrong_is_refused(member: str, value: str) -> None:
    manifest = json.loads((SOURCE / "bundles" / "queue" / "bundle.json").read_text())
    with pytest.raises(codec.DecodeError):
        parse(json.dumps(manifest | {member: value}).encode())


def test_a_plan_for_bundles_that_are_not_there_is_refused(image: Image) -> None:
    with pytest.raises(LookupError, match="felix_9"):
        Image(image.bundles.values(), {}, {"felix_9": ("nothing",)})
    with pytest.raises(LookupError, match="a-feature"):
        Image(image.bundles.values(), {"a-feature": ("nothing",)}, {})


async def test_an_agent_gets_what_its_target_has(client: Client) -> None:
    offers = await told(client, "/targets/felix_1")
    assert [offer["name"] for offer in offers] == ["datastore", "coordinator", "viewer"]
    for offer in offers:
        for path in (offer["path"], f"/bundles/{offer['name']}/{offer['version']}"):
            content = await (await client.get(path)).read()
            assert offer["digest"] == f"sha256:{hashlib.sha256(content).hexdigest()}"


async def test_the_page_shows_targets_bundles_changes_and_who_reported(client: Client) -> None:
    report = Report("felix_2", "<b>node</b>", (BundleState("queue", "1.0.0", "running"),))
    assert (await client.put("/agents/a-queue-pod", data=codec.encode(report))).status == 204
    await change(client, "POST", "/bundles", 201, data=packed())
    await change(client, "PUT", "/targets/felix_2/bundles/own", json={"version": "1.0.0"})
    page = await (await client.get("/")).text()
    for text in ("felix_1", "felix_4", "a-queue-pod", "queue 1.0.0: running", "No agent", "changed by hand"):
        assert text in page
    assert "assigned own 1.0.0 to felix_2" in page
    assert "<b>" not in page
    assert "a-queue-pod" in await told(client, "/agents")


async def test_what_comes_from_outside_is_no_html(client: Client) -> None:
    attack = """<script>alert("1")</script>' onload='x"""
    report = Report("felix_2", attack, (BundleState(attack, attack, attack),))
    await client.put("/agents/a-queue-pod", data=codec.encode(report))
    await client.put("/agents/another-pod", data=codec.encode(Report(attack, attack, ())))
    await change(client, "POST", "/bundles", 201, data=packed({"description": attack}))
    await change(client, "PUT", "/targets/felix_3/bundles/own", json={"version": "1.0.0"})
    page = await (await client.get("/")).text()
    assert "<script" not in page
    assert attack not in page
    assert page.count(html.escape(attack).replace("&quot;", "&#34;").replace("&#x27;", "&#39;")) == 5


async def test_only_the_latest_agents_are_remembered(client: Client) -> None:
    report = codec.encode(Report("felix_2", "node", ()))
    for number in range(250):
        await client.put(f"/agents/pod-{number}", data=report)
    heard = await told(client, "/agents")
    assert len(heard) == 200
    assert "pod-249" in heard


async def test_a_server_that_starts_again_knows_everything(start: Start) -> None:
    async with start() as client:
        await change(client, "POST", "/bundles", 201, data=packed())
        await change(client, "PUT", "/targets/felix_2/bundles/own", json={"version": "1.0.0"})
        before = [await told(client, path) for path in ("/targets", "/bundles", "/audit")]
        revision = (await client.get("/targets/felix_2")).headers["ETag"]
    async with start() as client:
        assert [await told(client, path) for path in ("/targets", "/bundles", "/audit")] == before
        answer = await client.get("/targets/felix_2")
        # An agent that has it all is not told otherwise.
        assert answer.headers["ETag"] == revision


async def test_a_new_images_versions_reach_the_targets_that_nobody_has_changed(start: Start, image: Image) -> None:
    def renewed() -> Image:
        bundles = dict(image.bundles)
        for name in ("queue", "processor"):
            manifest = json.loads(zipfile.ZipFile(io.BytesIO(bundles[name].content)).read("bundle.json"))
            folder = manifest["module"].replace(".", "/")
            above = [f"{folder[:end]}/" for end in range(1, len(folder) + 1) if folder[end : end + 1] in ("/", "")]
            archive = zipped(
                ("bundle.json", json.dumps(manifest | {"version": "99.0.0"}).encode()),
                *((name, b"") for name in above),
                (f"{folder}/__init__.py", b""),
            )
            bundles[name] = check_archive(archive)
        features = {name: (name,) for name in bundles}
        targets = {target: [ref.name for ref in refs] for target, refs in image.targets.items()}
        return Image(bundles.values(), features, targets)

    async with start() as client:
        before = await told(client, "/targets/felix_2")
        await change(client, "POST", "/bundles", 201, data=packed())
        await change(client, "PUT", "/targets/felix_2/bundles/own", json={"version": "1.0.0"})
    async with start(renewed()) as client:
        assert await versions(client, "felix_3") == {"processor": "99.0.0"}
        # What was changed by hand stays, with the archive that the image does not carry any more.
        offers = await told(client, "/targets/felix_2")
        assert offers[0] == before[0]
        assert (await client.get(offers[0]["path"])).status == 200
        await change(client, "POST", "/targets/felix_2/rollback")
        assert await versions(client, "felix_2") == {"queue": "99.0.0"}


async def test_two_servers_at_once_lose_no_change(start: Start) -> None:
    async with start() as one, start() as other:
        await change(one, "POST", "/bundles", 201, data=packed())
        await change(other, "POST", "/bundles", 201, data=packed({"version": "2.0.0"}))
        await change(other, "PUT", "/targets/felix_2/bundles/own", json={"version": "1.0.0"})
        await change(one, "PUT", "/targets/felix_3/bundles/own", json={"version": "1.0.0"})
        assert (await versions(one, "felix_2"))["own"] == "1.0.0"
        assert len(await told(one, "/audit")) == 4


async def test_an_agent_waits_until_there_is_something_to_know(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = await client.get("/targets/felix_2", params={"known": "something else"})
    revision = answer.headers["ETag"].strip('"')
    assert answer.status == 200
    monkeypatch.setattr(server, "POLL_SECONDS", 0.1)
    answer = await client.get("/targets/felix_2", params={"known": revision})
    assert (answer.status, answer.headers["ETag"].strip('"')) == (304, revision)
    monkeypatch.undo()
    waiting = client.get("/targets/felix_2", params={"known": revision})
    await change(client, "DELETE", "/targets/felix_2/bundles/queue")
    answer = await waiting
    assert (answer.status, await answer.json()) == (200, [])


async def test_while_the_cluster_does_not_answer_nothing_is_offered_that_may_be_wrong(
    image: Image, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("a token that the cluster does not know")
    async with TestServer(KubernetesApi().make_app()) as cluster, aiohttp.ClientSession() as session:
        kubernetes = Kubernetes(str(cluster.make_url("")).rstrip("/"), tmp_path, session)
        repository = Repository(image, ConfigMapStore(kubernetes, "inaetics-provisioning"))
        async with TestClient(TestServer(ProvisioningServer(repository, tmp_path).make_app())) as client:
            for path, status in (("/live", 200), ("/ready", 503), ("/targets/felix_2", 503), ("/", 503)):
                assert (await client.get(path)).status == status


async def test_a_change_that_the_cluster_does_not_keep_is_none(
    client: Client, api: KubernetesApi, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("another")
    await change(client, "POST", "/bundles", 503, data=packed())
    (tmp_path / "token").write_text(KubernetesApi.TOKEN)
    assert "own" not in {bundle["name"] for bundle in await told(client, "/bundles")}
    await change(client, "POST", "/bundles", 201, data=packed())


async def test_an_archive_that_was_spoilt_in_the_cluster_reaches_no_agent(start: Start, api: KubernetesApi) -> None:
    async with start() as client:
        await change(client, "POST", "/bundles", 201, data=packed())
        await change(client, "PUT", "/targets/felix_2/bundles/own", json={"version": "1.0.0"})
    digest = next(
        name
        for name, item in api.config_maps.items()
        if item["metadata"].get("labels", {}).get("inaetics.org/bundle") == "own"
    )
    del api.config_maps[digest]
    async with start() as client:
        assert (await client.get("/targets/felix_2")).status == 404
        assert "lost" in await (await client.get("/")).text()
        await change(client, "POST", "/targets/felix_2/rollback")
        assert "queue" in await versions(client, "felix_2")
