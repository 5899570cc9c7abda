"""Changes whose answer gets lost on the way, and changes that meet each other."""

import asyncio

import pytest

from tests.support.demonstrator.kubernetes import KubernetesApi
from tests.unit.demonstrator.provisioning.client import (
    Client,
    Hold,
    Network,
    Start,
    change,
    packed,
    told,
    versions,
)


@pytest.mark.parametrize("lost", [["lose"], ["lose", "lose"]], ids=["one answer", "every answer"])
async def test_a_change_whose_answer_is_lost_is_made_once(client: Client, network: Network, lost: list[str]) -> None:
    # aiohttp sends a PUT again on a connection that was closed: the API then refuses the second one.
    await change(client, "POST", "/bundles", 201, data=packed())
    for version in ("1.1.0", "1.2.0"):
        await change(client, "POST", "/bundles", 201, data=packed({"version": version}))
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        await change(client, "PUT", "/targets/felix_2/bundles/own", json={"version": version})
    network.plan("PUT", *lost)
    await change(client, "POST", "/targets/felix_2/rollback")
    assert (await versions(client, "felix_2"))["own"] == "1.1.0"
    network.plan("PUT", *lost)
    await change(client, "DELETE", "/targets/felix_2/bundles/own")
    assert "own" not in await versions(client, "felix_2")
    assert [entry["what"] for entry in await told(client, "/audit")][:2] == [
        "removed own from felix_2",
        "rolled felix_2 back",
    ]


async def test_the_first_change_ever_is_made_though_its_answer_is_lost(client: Client, network: Network) -> None:
    network.plan("POST", "pass", "lose")
    await change(client, "POST", "/bundles", 201, data=packed())
    assert len(await told(client, "/audit")) == 1


async def test_a_server_that_missed_a_change_learns_of_it(client: Client, network: Network) -> None:
    await change(client, "POST", "/bundles", 201, data=packed())
    revision = (await client.get("/targets/felix_2")).headers["ETag"].strip('"')
    # Neither the answer nor the state can be read: only later does the server see what became of it.
    network.plan("PUT", "lose", "lose")
    network.plan("GET", "pass", "refuse")
    await change(client, "PUT", "/targets/felix_2/bundles/own", 503, json={"version": "1.0.0"})
    answer = await client.get("/targets/felix_2", params={"known": revision})
    assert answer.status == 200
    assert "own" in {offer["name"] for offer in await answer.json()}


async def test_a_change_is_judged_by_what_the_cluster_has_now(start: Start) -> None:
    async with start() as one, start() as other:
        await change(one, "POST", "/bundles", 201, data=packed())
        await change(one, "PUT", "/targets/felix_2/bundles/own", json={"version": "1.0.0"})
        await change(other, "DELETE", "/targets/felix_2/bundles/own")
        # Nothing to do by what this server knew: but another one has taken the bundle away.
        await change(one, "PUT", "/targets/felix_2/bundles/own", json={"version": "1.0.0"})
        await change(other, "POST", "/targets/felix_2/rollback")
        await change(other, "POST", "/targets/felix_2/rollback")
        assert "own" in await versions(other, "felix_2")


async def test_an_archive_uploaded_while_it_is_deleted_stays(
    start: Start, network: Network, api: KubernetesApi
) -> None:
    async with start() as client:
        await change(client, "POST", "/bundles", 201, data=packed())
        held = Hold()
        network.plan("DELETE", held)
        deleting = asyncio.create_task(change(client, "DELETE", "/bundles/own/1.0.0", 204))
        await held.reached.wait()
        uploading = asyncio.create_task(change(client, "POST", "/bundles", 201, data=packed()))
        # Time for an upload that does not wait for the deletion; one that waits gets no further.
        await asyncio.wait({uploading}, timeout=0.5)
        held.release.set()
        await asyncio.gather(deleting, uploading)
        assert [name for name in api.config_maps if name.startswith("bundle-")]
    async with start() as client:
        await change(client, "PUT", "/targets/felix_2/bundles/own", json={"version": "1.0.0"})
        assert "own" in await versions(client, "felix_2")


async def test_a_bundle_is_deleted_though_its_config_map_cannot_be(client: Client, network: Network) -> None:
    await change(client, "POST", "/bundles", 201, data=packed())
    network.plan("DELETE", "refuse")
    await change(client, "DELETE", "/bundles/own/1.0.0", 204)
    await change(client, "POST", "/bundles", 201, data=packed())


@pytest.mark.parametrize("content", [None, "", "UEs="], ids=["gone", "empty", "another"])
async def test_an_archive_that_was_lost_is_kept_when_it_is_uploaded_again(
    start: Start, api: KubernetesApi, content: str | None
) -> None:
    async with start() as client:
        await change(client, "POST", "/bundles", 201, data=packed())
    (name,) = (name for name in api.config_maps if name.startswith("bundle-"))
    if content is None:
        del api.config_maps[name]
    else:
        api.config_maps[name]["binaryData"]["bundle.zip"] = content
    async with start() as client:
        await change(client, "POST", "/bundles", 201, data=packed())
    async with start() as client:
        assert "own" in {bundle["name"] for bundle in await told(client, "/bundles")}


@pytest.mark.parametrize("data", [{}, {"state.json": "{"}, {"state.json": "{}"}], ids=["none", "no JSON", "empty"])
async def test_a_state_that_cannot_be_read_is_not_the_clients_fault(
    client: Client, api: KubernetesApi, data: dict[str, str]
) -> None:
    await change(client, "POST", "/bundles", 201, data=packed())
    api.config_maps["provisioning-state"]["data"] = data
    await change(client, "POST", "/bundles", 503, data=packed({"version": "2.0.0"}))
