"""Only one coordinator acts: the holder of a Lease of the namespace."""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from demonstrator.bundles.coordinator.books import Books
from demonstrator.bundles.coordinator.regulator import DEFAULT_PREFERENCE, check_preference
from demonstrator.lib.kubernetes import KubernetesError
from demonstrator.model.samples import ProducerMode
from demonstrator.platform import KubernetesApi

NAME = "inaetics-coordinator"
RENEW_SECONDS = 2.0
# A holder that could not renew stops acting after the first time, and another one begins after
# the second. What lies in between is longer than any request that a holder has under way.
ACT_SECONDS = 6.0
LEASE_SECONDS = 10.0

_ACCOUNTS = "inaetics.org/accounts"
_PREFERENCE = "inaetics.org/preferred-utilisation"
_KIND = "inaetics.org/producer-kind"

_logger = logging.getLogger(__name__)


class Lease:
    """Takes the Lease when nobody else renews it, and renews it.

    Whether somebody else renews is told by this clock alone: the clocks of two nodes may differ.
    What people prefer and the books are kept with the Lease, so that they outlive the pod they
    were made in: who acts writes them with each renewal, and everybody else reads them.
    """

    def __init__(
        self,
        api: KubernetesApi,
        namespace: str,
        me: str,
        books: Books,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.holder = ""
        self.preference = DEFAULT_PREFERENCE
        self.kind: ProducerMode = "periodic"
        self._api = api
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{NAME}"
        self._me = me
        self._books = books
        self._accounts = ""
        self._clock = clock
        self._renewed: float | None = None
        self._released = False
        self._seen: tuple[str, str] | None = None
        self._seen_at = 0.0
        # A renewal and a new preference would each make the other's version an old one.
        self._lock = asyncio.Lock()

    @property
    def acting(self) -> bool:
        """Whether this coordinator is the one that acts."""
        return self._renewed is not None and self._clock() - self._renewed < ACT_SECONDS

    async def run(self) -> None:
        """Take and renew until it is released."""
        trouble = ""
        while not self._released:
            acted = self.acting
            try:
                await self.renew()
                trouble = ""
            except KubernetesError as error:
                if trouble != (trouble := str(error)):
                    _logger.warning("the lease cannot be renewed: %s", trouble)
            if acted != self.acting:
                _logger.info("%s", "acts from now on" if self.acting else "acts no longer")
            await asyncio.sleep(RENEW_SECONDS)

    async def renew(self) -> None:
        """Look at the Lease once, and take or renew it if it is free or held already."""
        async with self._lock:
            if not self._released:
                await self._renew()

    async def release(self) -> None:
        """Act no more, and leave the Lease to whoever looks next, with the books as they are now."""
        async with self._lock:
            acted, self._released, self._renewed = self.acting, True, None
            if acted:
                metadata = {"annotations": {_ACCOUNTS: self._books.save()}}
                await self._api.patch(self._path, {"metadata": metadata, "spec": {"holderIdentity": ""}})

    async def _renew(self) -> None:
        started = self._clock()
        lease = await self._api.read(self._path)
        spec: dict[str, Any] = lease.get("spec") or {}
        holder = spec.get("holderIdentity") or ""
        if self._seen != (seen := (holder, str(spec.get("renewTime")))):
            self._seen, self._seen_at = seen, started
        self.holder = holder
        self.preference = _preference(lease)
        self.kind = "burst" if _annotation(lease, _KIND) == "burst" else "periodic"
        # What is kept already says nothing new; what was seen since then would be forgotten.
        if self._accounts != (accounts := _annotation(lease, _ACCOUNTS)):
            self._books.load(accounts)
            self._accounts = accounts
        if holder not in ("", self._me):
            self._renewed = None
            if started - self._seen_at < LEASE_SECONDS:
                return
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        change: dict[str, Any] = {"holderIdentity": self._me, "renewTime": now}
        if holder != self._me:
            change |= {
                "acquireTime": now,
                "leaseDurationSeconds": int(LEASE_SECONDS),
                "leaseTransitions": spec.get("leaseTransitions", 0) + 1,
            }
        # Refused with 409 when somebody else has written since it was read.
        version = lease["metadata"]["resourceVersion"]
        accounts = self._books.save()
        metadata = {"resourceVersion": version, "annotations": {_ACCOUNTS: accounts}}
        await self._api.patch(self._path, {"metadata": metadata, "spec": change})
        self.holder, self._renewed, self._accounts = self._me, started, accounts

    async def prefer(self, percent: int) -> None:
        """Keep another preferred utilisation."""
        async with self._lock:
            await self._annotate(_PREFERENCE, str(percent))
            self.preference = percent

    async def choose(self, kind: ProducerMode) -> None:
        """Keep another kind of producers."""
        async with self._lock:
            await self._annotate(_KIND, kind)
            self.kind = kind

    async def _annotate(self, name: str, value: str) -> None:
        await self._api.patch(self._path, {"metadata": {"annotations": {name: value}}})


def _annotation(lease: dict[str, Any], name: str) -> str:
    return str((lease["metadata"].get("annotations") or {}).get(name, ""))


def _preference(lease: dict[str, Any]) -> int:
    try:
        percent = int(_annotation(lease, _PREFERENCE))
        check_preference(percent)
    except ValueError:
        return DEFAULT_PREFERENCE
    return percent
