"""A coordinator at work: real agents, and an API server that keeps what it is asked for."""

import signal
from typing import Any

import pytest_asyncio

from tests.support.demonstrator.local import Agent, Local, wait_until

PROCESSORS, PRODUCERS = "inaetics-processor-controller", "inaetics-producer-controller"
SYSTEM, UTILISATION = "/coordinator/systemStats", "/coordinator/utilisation"


@pytest_asyncio.fixture
async def local(local: Local) -> Local:
    local.api.add_controller(PROCESSORS, 0, 0)
    local.api.add_controller(PRODUCERS, 1, 1)
    local.api.add_lease()
    return local


async def send(local: Local, agent: Agent, path: str, body: Any, method: str = "POST", **headers: str) -> Any:
    """Change something as the page does: the answer's status and body."""
    base = f"http://{agent.address}:{local.pages_port}"
    given = {"Content-Type": "application/json", "Origin": base, "Sec-Fetch-Site": "same-origin"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    data = {"data": body} if isinstance(body, bytes) else {"json": body}
    async with local.session.request(method, base + path, headers=given, **data) as answer:
        return answer.status, await answer.json()


async def system(local: Local, agent: Agent) -> Any:
    return await local.page(agent, SYSTEM)


async def acting(local: Local, pod: str) -> Agent:
    """The coordinator of this pod, once it acts."""
    agent = local.agents[pod]

    async def acts() -> bool:
        return bool((await system(local, agent))["coordinator"] == pod)

    await wait_until(acts, f"{pod} acts")
    return agent


async def test_the_first_processor_is_asked_for_and_the_rate_follows_the_preference(local: Local) -> None:
    viewer = await local.start_agent("felix_1", "viewer", SCALING_RULE="original")
    await acting(local, "viewer")
    assert local.api.scaled == []  # nothing to go by without a queue
    await local.start_agent("felix_2", "queue")
    await local.start_agent("felix_4", "producer")

    async def asked_for() -> bool:
        return local.api.requested(PROCESSORS) == 1

    await wait_until(asked_for, "a processor is asked for")
    assert local.api.scaled == [(PROCESSORS, 1)]
    assert (await system(local, viewer))["processors"] == {"requested": 1, "actual": 0}
    local.api.add_controller(PROCESSORS, 1, 1)
    await local.start_agent("felix_3", "processor")

    async def level() -> Any:
        seen = await local.page(viewer, "/coordinator/statistics")
        # What the queue lacks is made up for, and the processor works off 333 a second.
        return seen if seen["now"]["utilisation"] > 4 and seen["now"]["stored"] > 200 else None

    seen = await wait_until(level, "the queue fills towards the preferred 20 %")
    assert seen["scaling"]["processors"] == {"requested": 1, "actual": 1}
    assert seen["scaling"]["preferred_utilisation"] == 20

    assert (await send(local, viewer, UTILISATION, {"preferred_utilisation": 0}))[0] == 200

    async def rate() -> Any:
        return await local.call(local.agents["producer"], "inaetics.producer", "rate")

    async def stopped() -> bool:
        return bool(await rate() == 0)

    await wait_until(stopped, "0 % stops the producers")
    assert (await send(local, viewer, UTILISATION, {"preferred_utilisation": 100}, method="PUT"))[0] == 200

    async def flat_out() -> bool:
        return bool(await rate() == 1_000)

    await wait_until(flat_out, "100 % lets them run flat out")
    assert (await send(local, viewer, SYSTEM, {"producer_kind": "burst"}))[1]["producer_kind"] == "burst"

    async def in_bursts() -> bool:
        return bool(await local.call(local.agents["producer"], "inaetics.producer", "kind") == "burst")

    await wait_until(in_bursts, "producers are told their kind")
    said = await local.page(viewer, UTILISATION)
    assert said["preferred_utilisation"] == 100
    assert said["history"][-1]["utilisation"] == said["utilisation"] > 0


async def test_manual_scaling_leaves_processors_and_rate_alone(local: Local) -> None:
    """The default: `kubectl scale` is not overruled, and the producers' rate stays what it was."""
    await local.start_agent("felix_1", "viewer")
    viewer = await acting(local, "viewer")
    await local.start_agent("felix_2", "queue")
    await local.start_agent("felix_4", "producer")

    async def full() -> Any:
        seen = await local.page(viewer, "/coordinator/statistics")
        return seen if seen["now"]["utilisation"] > 30 else None

    # With the rule of the original a processor would be asked for by now, and the rate would fall from 20 % on.
    seen = await wait_until(full, "the queue fills beyond the preferred 20 %")
    assert (seen["scaling"]["rule"], local.api.scaled) == ("manual", [])
    assert await local.call(local.agents["producer"], "inaetics.producer", "rate") == 500
    status, said = await send(local, viewer, UTILISATION, {"preferred_utilisation": 50})
    assert (status, "scaling is manual" in said["error"]) == (400, True)
    assert (await send(local, viewer, SYSTEM, {"producers": 2}))[0] == 200


async def test_changes_are_checked(local: Local) -> None:
    await local.start_agent("felix_1", "viewer", SCALING_RULE="original")
    viewer = await acting(local, "viewer")
    local.api.add_node("172.17.8.31", ready=False)
    local.api.add_node("172.17.8.32")
    status, said = await send(local, viewer, SYSTEM, {"producers": 3})
    assert (status, said["producers"]) == (200, {"requested": 3, "actual": 1})
    assert local.api.requested(PRODUCERS) == 3
    # A program says nothing of where it comes from.
    url = f"http://{viewer.address}:{local.pages_port}{SYSTEM}"
    async with local.session.post(url, json={"producers": 2}) as answer:
        assert answer.status == 200

    for path, body, expected, reason in (
        (SYSTEM, {"producers": 0}, 400, "body: Expected `int` >= 1 - at `$.producers`"),
        (SYSTEM, {"producers": 5}, 400, "body: Expected `int` <= 4 - at `$.producers`"),
        (SYSTEM, {"producers": "3"}, 400, "body: Expected `int`, got `str` - at `$.producers`"),
        (SYSTEM, {"producers": True}, 400, "Expected `int`, got `bool`"),
        (SYSTEM, {}, 400, "missing required field `producers`"),
        (SYSTEM, {"producer_kind": "steady"}, 400, "Invalid enum value 'steady'"),
        (SYSTEM, {"producers": 3, "processors": 3}, 400, "unknown field `processors`"),
        (SYSTEM, b"", 400, "body: Input data was truncated"),
        (SYSTEM, b"[" * 1000, 400, "body: "),
        (SYSTEM, b" " * 1025, 413, "at most 1024 bytes"),
        (UTILISATION, {"preferred_utilisation": 12}, 400, "multiple of 5"),
        (UTILISATION, {"preferred_utilisation": 105}, 400, "Expected `int` <= 100"),
        (UTILISATION, {"preferred_utilisation": 5.5}, 400, "Expected `int`, got `float`"),
    ):
        status, said = await send(local, viewer, path, body)
        assert (status, reason in said["error"]) == (expected, True), (body, status, said)
    for headers in (
        {"Origin": "http://elsewhere.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ):
        status, said = await send(local, viewer, SYSTEM, {"producers": 4}, **headers)
        assert (status, said["error"]) == (403, "changes are made from the demonstrator's own page")
    # A page that was loaded under a name which leads here now. Addresses and a tunnel's localhost are no such names.
    for host in ("elsewhere.example", "localhost.elsewhere.example", "127.0.0.1.elsewhere.example"):
        headers = {"Host": host, "Origin": f"http://{host}"}
        status, said = await send(local, viewer, SYSTEM, {"producers": 4}, **headers)
        assert (status, "a name in DASHBOARD_HOSTS" in said["error"]) == (403, True)
    for host in ("localhost:8080", "[::1]:8080", "172.17.8.20", "inaetics-viewer-service"):
        headers = {"Host": host, "Origin": f"http://{host}"}
        assert (await send(local, viewer, SYSTEM, {"producers": 3}, **headers))[0] == 200
    status, said = await send(local, viewer, SYSTEM, b'{"producers": 4}', Content_Type="text/plain")
    assert (status, said["error"]) == (415, "the body has to be application/json")
    assert (await send(local, viewer, SYSTEM, {"producers": 2}, method="PUT"))[0] == 200
    assert local.api.scaled == [(PRODUCERS, 3), (PRODUCERS, 2), (PRODUCERS, 3), (PRODUCERS, 2)]
    assert (await local.page(viewer, "/coordinator/clusterInfo"))["nodes"] == [
        {
            "name": "172.17.8.31",
            "ready": False,
            "pods": [
                {
                    "name": "viewer",
                    "phase": "Running",
                    "ready": True,
                    "address": viewer.address,
                    "containers": [{"name": "viewer-container", "state": "running", "reason": "", "restarts": 0}],
                }
            ],
        },
        {"name": "172.17.8.32", "ready": True, "pods": []},
    ]
    assert "Traceback" not in viewer.log.read_text()


async def test_only_one_coordinator_acts_and_another_takes_over(local: Local) -> None:
    await local.start_agent("felix_1", "first", SCALING_RULE="original")
    first = await acting(local, "first")
    await send(local, first, UTILISATION, {"preferred_utilisation": 75})
    second = await local.start_agent("felix_1", "second", SCALING_RULE="original")

    async def sees() -> bool:
        return bool((await system(local, second))["coordinator"] == "first")

    await wait_until(sees, "the second coordinator knows the first one")
    status, said = await send(local, second, SYSTEM, {"producers": 4})
    assert (status, said["error"]) == (503, "not now, try again: the coordinator that acts is first")
    assert local.api.scaled == []

    await local.stop_agent("first", signal.SIGKILL)
    await acting(local, "second")
    assert (await system(local, second))["preferred_utilisation"] == 75
    assert (await send(local, second, SYSTEM, {"producers": 4}))[0] == 200
    assert local.api.scaled == [(PRODUCERS, 4)]


async def test_without_its_rights_a_coordinator_only_watches(local: Local) -> None:
    local.api.lease = None
    viewer = await local.start_agent("felix_1", "viewer", SCALING_RULE="original")

    async def watches() -> Any:
        return (await system(local, viewer))["producers"]

    assert await wait_until(watches, "the controllers are seen") == {"requested": 1, "actual": 1}
    status, said = await send(local, viewer, SYSTEM, {"producers": 2})
    assert (status, said["error"]) == (503, "not now, try again: the coordinator that acts is none")
    assert viewer.healthy
    assert "the lease cannot be renewed" in viewer.log.read_text()
