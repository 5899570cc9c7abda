"""Of two coordinators only one is the leader, whatever happens to the other one."""

import copy
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any, cast

import pytest

from demonstrator.bundles.coordinator.accounting import ObservedCounters, SampleAccounting
from demonstrator.bundles.coordinator.leader_election import (
    LEASE_DURATION,
    RENEW_DEADLINE,
    TARGET_UTILISATION,
    LeaderElection,
)
from demonstrator.lib.kubernetes import KubernetesError
from demonstrator.model import QueueLedger
from demonstrator.platform import Identity
from tests.support.demonstrator.kubernetes import merge

if TYPE_CHECKING:
    from demonstrator.platform import KubernetesApi


class Server:
    """The Lease at an API server that is `down`, or whose answer to a change times out: it is "applied" or "lost"."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] = {"metadata": {"resourceVersion": "1"}}
        self.down = False
        self.timeout = ""
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
        if self.timeout == "lost":
            raise KubernetesError(f"{path}: TimeoutError")
        version = self.lease["metadata"]["resourceVersion"]
        if change.get("metadata", {}).get("resourceVersion", version) != version:
            raise KubernetesError(f"{path}: 409 Conflict", 409)
        self.lease = merge(self.lease, dict(change))
        self.lease["metadata"]["resourceVersion"] = str(int(version) + 1)
        if self.timeout:
            raise KubernetesError(f"{path}: TimeoutError")
        return self.lease

    def follow(self, path: str) -> AsyncIterator[dict[str, dict[str, Any]]]:
        raise NotImplementedError


class Clock:
    """A clock that is set by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def election(server: Server, name: str, clock: Clock, accounts: SampleAccounting | None = None) -> LeaderElection:
    own = Identity("felix_1", name, "default", "node-1")
    return LeaderElection(cast("KubernetesApi", server), own, accounts or SampleAccounting(), clock)


async def test_one_leads_and_the_other_takes_over_when_it_is_silent() -> None:
    server, clock = Server(), Clock()
    first, second = (election(server, name, clock) for name in ("first", "second"))
    assert not first.is_leader
    await first.renew()
    await second.renew()
    assert (first.is_leader, second.is_leader) == (True, False)
    assert first.leader == second.leader == server.lease["spec"]["holderIdentity"] == "first"

    for _ in range(10):
        clock.now += LEASE_DURATION - 1
        await first.renew()
        await second.renew()
        assert (first.is_leader, second.is_leader) == (True, False)

    clock.now += LEASE_DURATION - 0.1
    await second.renew()
    assert not second.is_leader
    clock.now += 0.1
    await second.renew()
    assert (first.is_leader, second.is_leader) == (False, True)
    assert server.lease["spec"]["leaseTransitions"] == 2
    await first.renew()
    assert not first.is_leader


async def test_who_cannot_renew_stops_before_another_may_begin() -> None:
    server, clock = Server(), Clock()
    lease = election(server, "first", clock)
    await lease.renew()
    server.down = True
    clock.now += RENEW_DEADLINE - 0.1
    with pytest.raises(KubernetesError):
        await lease.renew()
    leading = [lease.is_leader]
    clock.now += 0.1
    leading.append(lease.is_leader)
    server.down = False
    await lease.renew()
    assert [*leading, lease.is_leader] == [True, False, True]
    assert RENEW_DEADLINE < LEASE_DURATION


async def test_of_two_that_take_it_at_once_one_is_refused() -> None:
    server, clock = Server(), Clock()
    lease = election(server, "late", clock)
    server.meanwhile = {"spec": {"holderIdentity": "early", "renewTime": "now"}}
    with pytest.raises(KubernetesError) as refused:
        await lease.renew()
    assert refused.value.status == 409
    assert not lease.is_leader
    await lease.renew()
    assert not lease.is_leader
    assert lease.leader == "early"


async def test_one_that_ends_in_order_leaves_the_lease_to_the_next_at_once() -> None:
    server, clock = Server(), Clock()
    first, second = (election(server, name, clock) for name in ("first", "second"))
    await first.renew()
    await second.renew()
    # Who does not hold it leaves it alone.
    await election(server, "third", clock).release()
    assert server.lease["spec"]["holderIdentity"] == "first"
    await first.release()
    assert not first.is_leader
    await second.renew()
    assert second.is_leader
    await first.renew()
    assert (first.is_leader, server.lease["spec"]["holderIdentity"]) == (False, "second")


async def test_one_that_cannot_release_stops_all_the_same() -> None:
    server, clock = Server(), Clock()
    lease = election(server, "first", clock)
    await lease.renew()
    server.down = True
    with pytest.raises(KubernetesError):
        await lease.release()
    server.down = False
    await lease.run()
    assert not lease.is_leader


async def test_a_restarted_container_goes_on_with_its_pods_lease() -> None:
    server, clock = Server(), Clock()
    await election(server, "pod", clock).renew()
    again = election(server, "pod", clock)
    await again.renew()
    assert again.is_leader
    assert server.lease["spec"]["leaseTransitions"] == 1


async def test_the_accounts_outlive_the_pod() -> None:
    server, clock = Server(), Clock()
    accounts = {name: SampleAccounting() for name in ("first", "second", "third")}
    first, second, third = (election(server, name, clock, own) for name, own in accounts.items())
    accounts["first"].update(ObservedCounters([QueueLedger("q.1", 100, 30, {"s.1": 10}, 20, 0, 0)], (), (), {"q", "s"}))
    await first.renew()
    await second.renew()
    assert accounts["second"].save() == accounts["first"].save()

    # What another one counts while nobody writes is its own, and is what it goes on from.
    nothing = ObservedCounters((), (), (), {"s"})
    accounts["second"].update(nothing)
    clock.now += LEASE_DURATION
    await second.renew()
    assert second.is_leader
    await third.renew()
    accounting = accounts["third"].update(nothing)
    assert accounting
    assert (accounting.produced, accounting.stored, accounting.lost) == (30, 10, 20)
    server.lease["metadata"]["annotations"]["inaetics.org/accounts"] = "none"
    await second.renew()
    assert accounts["second"].update(nothing) == accounting


@pytest.mark.parametrize("applied", [True, False])
async def test_a_leader_whose_renewal_times_out_goes_on_from_its_own_count(*, applied: bool) -> None:
    server, clock, accounts = Server(), Clock(), SampleAccounting()
    leader = election(server, "leader", clock, accounts)
    gone = ObservedCounters((), (), (), {"s"})
    for produced in range(10, 100, 10):
        server.timeout = "applied" if applied else "lost"
        accounts.update(ObservedCounters([QueueLedger(f"q.{produced}", 100, produced, {}, produced, 0, 0)]))
        with pytest.raises(KubernetesError):
            await leader.renew()
        before = accounts.update(gone)
        server.timeout = ""
        await leader.renew()
        assert accounts.update(gone) == before


async def test_the_target_utilisation_outlives_the_pod() -> None:
    server, clock = Server(), Clock()
    first, second = (election(server, name, clock) for name in ("first", "second"))
    await first.renew()
    assert first.target_utilisation == 20
    await first.annotate(TARGET_UTILISATION, "65")
    await second.renew()
    assert [lease.target_utilisation for lease in (first, second)] == [65, 65]
    for text in ("66", "much", "105"):
        server.lease["metadata"]["annotations"][TARGET_UTILISATION] = text
        await second.renew()
        assert second.target_utilisation == 20
