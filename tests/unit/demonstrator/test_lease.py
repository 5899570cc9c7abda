"""Of two coordinators only one acts, whatever happens to the other one."""

import copy
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from demonstrator.bundles.coordinator.books import Books, Seen
from demonstrator.bundles.coordinator.lease import ACT_SECONDS, LEASE_SECONDS, Lease
from demonstrator.lib.kubernetes import KubernetesError
from demonstrator.model.samples import QueueLedger
from tests.unit.demonstrator.kubernetes import merge

pytestmark = pytest.mark.asyncio


class Server:
    """The Lease as the API server keeps it; `down` is a server that does not answer."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] = {"metadata": {"resourceVersion": "1"}}
        self.down = False
        self.meanwhile: dict[str, Any] | None = None

    async def read(self, path: str) -> dict[str, Any]:
        if self.down:
            raise KubernetesError(f"{path}: TimeoutError")
        seen = copy.deepcopy(self.lease)
        if self.meanwhile:
            change, self.meanwhile = self.meanwhile, None
            await self.patch(path, change)
        return seen

    async def patch(self, path: str, change: Mapping[str, Any]) -> dict[str, Any]:
        if self.down:
            raise KubernetesError(f"{path}: TimeoutError")
        version = self.lease["metadata"]["resourceVersion"]
        if change.get("metadata", {}).get("resourceVersion", version) != version:
            raise KubernetesError(f"{path}: 409 Conflict", 409)
        self.lease = merge(self.lease, dict(change))
        self.lease["metadata"]["resourceVersion"] = str(int(version) + 1)
        return self.lease

    def follow(self, path: str) -> AsyncIterator[dict[str, dict[str, Any]]]:
        raise NotImplementedError


class Clock:
    """A clock that is set by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


async def test_one_acts_and_the_other_takes_over_when_it_is_silent() -> None:
    server, clock = Server(), Clock()
    first, second = (Lease(server, "default", name, Books(), clock) for name in ("first", "second"))
    assert not first.acting
    await first.renew()
    await second.renew()
    assert (first.acting, second.acting) == (True, False)
    assert first.holder == second.holder == server.lease["spec"]["holderIdentity"] == "first"

    for _ in range(10):
        clock.now += LEASE_SECONDS - 1
        await first.renew()
        await second.renew()
        assert (first.acting, second.acting) == (True, False)

    clock.now += LEASE_SECONDS - 0.1
    await second.renew()
    assert not second.acting
    clock.now += 0.1
    await second.renew()
    assert (first.acting, second.acting) == (False, True)
    assert server.lease["spec"]["leaseTransitions"] == 2
    await first.renew()
    assert not first.acting


async def test_who_cannot_renew_stops_before_another_may_begin() -> None:
    server, clock = Server(), Clock()
    lease = Lease(server, "default", "first", Books(), clock)
    await lease.renew()
    server.down = True
    clock.now += ACT_SECONDS - 0.1
    with pytest.raises(KubernetesError):
        await lease.renew()
    acting = [lease.acting]
    clock.now += 0.1
    acting.append(lease.acting)
    server.down = False
    await lease.renew()
    assert [*acting, lease.acting] == [True, False, True]
    assert ACT_SECONDS < LEASE_SECONDS


async def test_of_two_that_take_it_at_once_one_is_refused() -> None:
    server, clock = Server(), Clock()
    lease = Lease(server, "default", "late", Books(), clock)
    server.meanwhile = {"spec": {"holderIdentity": "early", "renewTime": "now"}}
    with pytest.raises(KubernetesError) as refused:
        await lease.renew()
    assert refused.value.status == 409
    assert not lease.acting
    await lease.renew()
    assert not lease.acting
    assert lease.holder == "early"


async def test_one_that_ends_in_order_leaves_the_lease_to_the_next_at_once() -> None:
    server, clock = Server(), Clock()
    first, second = (Lease(server, "default", name, Books(), clock) for name in ("first", "second"))
    await first.renew()
    await second.renew()
    # Who does not hold it leaves it alone.
    await Lease(server, "default", "third", Books(), clock).release()
    assert server.lease["spec"]["holderIdentity"] == "first"
    await first.release()
    assert not first.acting
    await second.renew()
    assert second.acting
    await first.renew()
    assert (first.acting, server.lease["spec"]["holderIdentity"]) == (False, "second")


async def test_one_that_cannot_release_stops_all_the_same() -> None:
    server, clock = Server(), Clock()
    lease = Lease(server, "default", "first", Books(), clock)
    await lease.renew()
    server.down = True
    with pytest.raises(KubernetesError):
        await lease.release()
    server.down = False
    await lease.run()
    assert not lease.acting


async def test_a_restarted_container_goes_on_with_its_pods_lease() -> None:
    server, clock = Server(), Clock()
    await Lease(server, "default", "pod", Books(), clock).renew()
    again = Lease(server, "default", "pod", Books(), clock)
    await again.renew()
    assert again.acting
    assert server.lease["spec"]["leaseTransitions"] == 1


async def test_the_books_outlive_the_pod() -> None:
    server, clock = Server(), Clock()
    books = {name: Books() for name in ("first", "second", "third")}
    first, second, third = (Lease(server, "default", name, kept, clock) for name, kept in books.items())
    seen = Seen([QueueLedger("q.1", 100, 30, {"s.1": 10}, 20, 0, 0)], (), (), {"q", "s"})
    books["first"].observe(seen)
    await first.renew()
    await second.renew()
    assert books["second"].save() == books["first"].save()

    # What another one sees while nobody writes is its own, and is what it goes on from.
    books["second"].observe(Seen((), (), (), {"s"}))
    clock.now += LEASE_SECONDS
    await second.renew()
    assert second.acting
    await third.renew()
    accounting = books["third"].observe(Seen((), (), (), {"s"}))
    assert accounting
    assert (accounting.produced, accounting.stored, accounting.lost) == (30, 10, 20)
    server.lease["metadata"]["annotations"]["inaetics.org/accounts"] = "none"
    await second.renew()
    assert books["second"].observe(Seen((), (), (), {"s"})) == accounting


async def test_the_preference_outlives_the_pod() -> None:
    server, clock = Server(), Clock()
    first, second = (Lease(server, "default", name, Books(), clock) for name in ("first", "second"))
    await first.renew()
    assert first.preference == 20
    await first.prefer(65)
    await second.renew()
    assert first.preference == second.preference == 65
    for kept in ("66", "much", "105"):
        server.lease["metadata"]["annotations"]["inaetics.org/preferred-utilisation"] = kept
        await second.renew()
        assert second.preference == 20
