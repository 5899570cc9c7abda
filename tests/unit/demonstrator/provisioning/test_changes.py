"""Changes of people on the provisioning server, allowed and refused."""

import io
import json
import zipfile
from pathlib import Path

import pytest

from demonstrator.provisioning.archive import ARCHIVE_LIMIT
from demonstrator.provisioning.image import Image
from tests.support.demonstrator.kubernetes import KubernetesApi
from tests.unit.demonstrator.provisioning.client import OWN, TOKEN, Client, change, packed, told, versions, zipped


async def test_what_is_uploaded_can_be_assigned_rolled_back_and_deleted(client: Client) -> None:
    listed = await change(client, "POST", "/bundles", 201, data=packed())
    assert (listed["name"], listed["files"], listed["targets"]) == (
        "own",
        ["bundle.json", "own_bundle/__init__.py"],
        [],
    )
    await change(client, "PUT", "/targets/felix_2/bundles/own", json={"version": "1.0.0"})
    # Assigning it once more is no change.
    target = await change(client, "PUT", "/targets/felix_2/bundles/own", json={"version": "1.0.0"})
    assert target["by_hand"] == 1
    await change(client, "POST", "/bundles", 201, data=packed({"version": "1.1.0"}))
    await change(client, "PUT", "/targets/felix_2/bundles/own", json={"version": "1.1.0"})
    queue = (await versions(client, "felix_2"))["queue"]
    assert await versions(client, "felix_2") == {"queue": queue, "own": "1.1.0"}
    await change(client, "DELETE", "/bundles/own/1.1.0", 409)
    await change(client, "DELETE", "/targets/felix_2/bundles/queue")
    assert await versions(client, "felix_2") == {"own": "1.1.0"}
    for expected in ({"queue": queue, "own": "1.1.0"}, {"queue": queue, "own": "1.0.0"}, {"queue": queue}):
        await change(client, "POST", "/targets/felix_2/rollback")
        assert await versions(client, "felix_2") == expected
    await change(client, "POST", "/targets/felix_2/rollback", 409)
    await change(client, "DELETE", "/bundles/own/1.1.0", 204)
    await change(client, "PUT", "/targets/felix_2/bundles/own", 404, json={"version": "1.1.0"})
    log = [(entry["who"], entry["what"].split(" (")[0]) for entry in await told(client, "/audit")]
    assert log[0] == ("127.0.0.1", "deleted own 1.1.0")
    assert log[-1] == ("127.0.0.1", "uploaded own 1.0.0")
    assert len(log) == 9


async def test_a_name_and_version_are_one_archive_for_ever(client: Client, image: Image, api: KubernetesApi) -> None:
    await change(client, "POST", "/bundles", 201, data=packed())
    await change(client, "POST", "/bundles", 200, data=packed())
    await change(client, "POST", "/bundles", 409, data=packed(files={"own_bundle/more.py": ""}))
    queue = image.bundles["queue"]
    await change(client, "POST", "/bundles", 200, data=queue.content)
    folder = queue.manifest.module.replace(".", "/")
    another = io.BytesIO(queue.content)
    with zipfile.ZipFile(another, "a") as archive:
        archive.writestr(f"{folder}/more.py", "")
    await change(client, "POST", "/bundles", 409, data=another.getvalue())
    assert len([name for name in api.config_maps if name.startswith("bundle-")]) == 1


def link(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.external_attr = 0o120777 << 16
    return entry


def within(module: str) -> bytes:
    """An archive of a module with all of its folders."""
    names = module.split(".")
    folders = ["/".join(names[:depth]) + "/" for depth in range(1, len(names) + 1)]
    content = dict.fromkeys((*folders, f"{folders[-1]}__init__.py"), b"")
    return zipped(("bundle.json", json.dumps(OWN | {"module": module}).encode()), *content.items())


BAD = {
    "empty": b"",
    "no zip": b"PK" * 100,
    "cut off": packed()[:-40],
    "no manifest": zipped(("own_bundle/__init__.py", b"")),
    "manifest is no JSON": zipped(("bundle.json", b"{")),
    "manifest with a member too many": packed({"more": 1}),
    "above": packed(files={"../outside.py": ""}),
    "absolute": packed(files={"/etc/passwd": ""}),
    "inside and above": packed(files={"own_bundle/../../outside.py": ""}),
    "backslash": packed(files={"own_bundle\\..\\outside.py": ""}),
    "the agent's library": packed(files={"demonstrator/lib/codec.py": ""}),
    "beside the module": packed(files={"json.py": ""}),
    "a link": zipped(
        ("bundle.json", json.dumps(OWN).encode()),
        ("own_bundle/", b""),
        ("own_bundle/__init__.py", b""),
        (link("own_bundle/link"), b"/etc/passwd"),
    ),
    "a bomb": zipped(("own_bundle/zeros", bytes(64 * 2**20)), method=zipfile.ZIP_DEFLATED),
    "too many files": zipped(*((f"own_bundle/{number}", b"") for number in range(501))),
    "another's module": within("json"),
    "below another's module": within("json.decoder"),
    "the framework's module": within("pelix.own"),
    "the agent's module": within("demonstrator.remote"),
    "below the agent's module": within("demonstrator.remote.contract"),
    "every bundle's folder": within("demonstrator.bundles"),
    "no such module": packed({"module": "another_bundle"}),
    "a folder that is not seen": packed({"module": "acme.own"}, files={"acme/own/__init__.py": ""}),
}


@pytest.mark.parametrize("kind", BAD)
async def test_an_archive_that_is_no_bundle_is_refused(client: Client, api: KubernetesApi, kind: str) -> None:
    said = await change(client, "POST", "/bundles", 400, data=BAD[kind])
    assert said["error"]
    assert api.config_maps == {}
    assert await told(client, "/audit") == []


@pytest.mark.parametrize("module", ["hello", "acme.own", "demonstrator.bundles.own"])
async def test_a_module_of_ones_own_can_be_anywhere_else(client: Client, module: str) -> None:
    await change(client, "POST", "/bundles", 201, data=within(module))


async def test_an_archive_of_the_greatest_size_fits_into_a_config_map(client: Client, api: KubernetesApi) -> None:
    spare = ARCHIVE_LIMIT - len(packed(files={"own_bundle/filling": ""}))
    await change(client, "POST", "/bundles", 201, data=packed(files={"own_bundle/filling": "x" * spare}))
    await change(
        client,
        "POST",
        "/bundles",
        413,
        data=packed({"version": "2.0.0"}, files={"own_bundle/filling": "x" * (spare + 1)}),
    )
    (kept,) = (item for name, item in api.config_maps.items() if name.startswith("bundle-"))
    assert kept["immutable"] is True
    assert kept["metadata"]["labels"] == {"inaetics.org/bundle": "own", "inaetics.org/version": "1.0.0"}


CHANGES = [
    ("POST", "/bundles"),
    ("DELETE", "/bundles/own/1.0.0"),
    ("PUT", "/targets/felix_2/bundles/own"),
    ("DELETE", "/targets/felix_2/bundles/queue"),
    ("POST", "/targets/felix_2/rollback"),
]


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer wrong", "Basic a+token/of=tests", "a+token/of=tests"])
@pytest.mark.parametrize(("method", "path"), CHANGES)
async def test_without_the_token_nothing_changes(
    client: Client, api: KubernetesApi, caplog: pytest.LogCaptureFixture, method: str, path: str, header: str
) -> None:
    headers = {"Authorization": header} if header else {}
    async with client.request(method, path, headers=headers, data=packed()) as answer:
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
    assert api.config_maps == {}
    assert "token/of" not in caplog.text


async def test_without_a_credential_nobody_changes_anything(client: Client, tmp_path: Path) -> None:
    (tmp_path / "sum").unlink()
    await change(client, "POST", "/bundles", 401, data=packed())
    (tmp_path / "sum").write_text("")
    await change(client, "POST", "/bundles", 401, data=packed())


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/targets/felix_9", b"", 404),
        ("GET", "/bundles/queue/9.9.9", b"", 404),
        ("GET", "/bundles/../../etc/passwd", b"", 404),
        ("GET", "/archives/00ff", b"", 404),
        ("GET", "/nothing", b"", 404),
        ("POST", "/targets", b"", 405),
        ("PUT", "/agents/pod", b"", 400),
        ("PUT", "/agents/pod", b"{", 400),
        ("PUT", "/agents/pod", b"{}", 400),
        ("PUT", "/agents/pod", b"x" * 2**20, 413),
        ("PUT", "/agents/<script>", b"{}", 400),
        ("PUT", "/targets/felix_2/bundles/queue", b"{}", 400),
        ("PUT", "/targets/felix_2/bundles/queue", b'{"version": 1}', 400),
        ("PUT", "/targets/felix_2/bundles/queue", b'{"version": "9.9.9"}', 404),
        ("DELETE", "/targets/felix_2/bundles/nothing", b"", 404),
        ("DELETE", "/targets/felix_9/bundles/queue", b"", 404),
        ("POST", "/targets/felix_9/rollback", b"", 404),
        ("DELETE", "/bundles/queue/1.0.0", b"", 404),
    ],
)
async def test_bad_requests_are_told_so(client: Client, method: str, path: str, body: bytes, status: int) -> None:
    async with client.request(method, path, data=io.BytesIO(body), headers=TOKEN) as answer:
        assert answer.status == status, await answer.text()
