"""Leader election among coordinators by a Lease of the namespace, and the state that they share through it."""

import asyncio
import logging
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from demonstrator.bundles.coordinator.accounting import SampleAccounting
from demonstrator.lib.kubernetes import KubernetesError
from demonstrator.model import ProducerMode
from demonstrator.model.overview import DEFAULT_UTILISATION, TargetUtilisation
from demonstrator.platform import Identity, KubernetesApi

_RETRY_PERIOD = 2.0
# A leader that could not renew steps down after RENEW_DEADLINE, and another one begins after LEASE_DURATION. What lies
# in between is longer than any request that a leader has under way.
RENEW_DEADLINE = 6.0
LEASE_DURATION = 10.0

# Annotations of the Lease.
_ACCOUNTS = "inaetics.org/accounts"
TARGET_UTILISATION = "inaetics.org/preferred-utilisation"
PRODUCER_MODE = "inaetics.org/producer-kind"

_Clock = Callable[[], float]

_logger = logging.getLogger(__name__)


class NotLeaderError(Exception):
    """Another coordinator is the leader, or none is: nothing is changed here."""


class LeaderElection:
    """Takes the Lease when nobody else renews it, and renews it.

    With each renewal the leader writes the accounts of all samples. Every other coordinator reads them, and all read
    people's choices: `target_utilisation` and `producer_mode`. `leader` is the pod that holds the Lease, or "".
    """

    def __init__(
        self, api: KubernetesApi, own: Identity, accounting: SampleAccounting, clock: _Clock = time.monotonic
    ) -> None:
        self.leader = ""
        self.target_utilisation = DEFAULT_UTILISATION
        self.producer_mode: ProducerMode = "periodic"
        self._api = api
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{own.namespace}/leases/inaetics-coordinator"
        self._pod = own.pod
        self._accounting = accounting
        self._clock = clock
        self._renewed = -math.inf
        self._released = False
        # The last record of the Lease, and when it was first seen here: the clocks of two nodes may differ.
        self._record, self._record_seen = ("", ""), 0.0
        # Of a renewal and an annotation at once, each would make the other's version an old one.
        self._lock = asyncio.Lock()

    @property
    def is_leader(self) -> bool:
        """True while this coordinator is the one that may change anything."""
        return self._clock() - self._renewed < RENEW_DEADLINE

    def require(self) -> None:
        """Raise NotLeaderError unless this coordinator is the leader."""
        if not self.is_leader:
            raise NotLeaderError(f"the coordinator that acts is {self.leader or 'none'}")

    async def run(self) -> None:
        """Take and renew the Lease until it is released."""
        failure = ""
        while not self._released:
            was_leader = self.is_leader
            try:
                await self.renew()
                failure = ""
            except KubernetesError as error:
                if failure != (failure := str(error)):
                    _logger.warning("the lease cannot be renewed: %s", failure)
            if was_leader != self.is_leader:
                _logger.info("%s", "started leading" if self.is_leader else "stopped leading")
            await asyncio.sleep(_RETRY_PERIOD)

    async def renew(self) -> None:
        """Read the Lease once, and take or renew it if it is free or held already; raises KubernetesError."""
        async with self._lock:
            if self._released:
                return
            started = self._clock()
            lease = await self._api.read(self._path)
            spec: dict[str, Any] = lease.get("spec") or {}
            self.leader = spec.get("holderIdentity") or ""
            if self._record != (record := (self.leader, str(spec.get("renewTime")))):
                self._record, self._record_seen = record, started
            self._load(lease)
            if self.leader not in ("", self._pod):
                self._renewed = -math.inf
                if started - self._record_seen < LEASE_DURATION:
                    return
            now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            change: dict[str, Any] = {"holderIdentity": self._pod, "renewTime": now}
            if self.leader != self._pod:
                change |= {
                    "acquireTime": now,
                    "leaseDurationSeconds": int(LEASE_DURATION),
                    "leaseTransitions": spec.get("leaseTransitions", 0) + 1,
                }
            # Refused with 409 when another coordinator has written since it was read.
            version = lease["metadata"]["resourceVersion"]
            metadata = {"resourceVersion": version, "annotations": {_ACCOUNTS: self._accounting.save()}}
            await self._api.patch(self._path, {"metadata": metadata, "spec": change})
            self.leader, self._renewed = self._pod, started

    async def release(self) -> None:
        """Step down, and leave the Lease with the latest accounts to another coordinator."""
        async with self._lock:
            was_leader, self._released, self._renewed = self.is_leader, True, -math.inf
            if was_leader:
                metadata = {"annotations": {_ACCOUNTS: self._accounting.save()}}
                await self._api.patch(self._path, {"metadata": metadata, "spec": {"holderIdentity": ""}})

    async def annotate(self, name: str, value: str) -> None:
        """Write down a choice of people; raises NotLeaderError or KubernetesError."""
        self.require()
        async with self._lock:
            self._load(await self._api.patch(self._path, {"metadata": {"annotations": {name: value}}}))

    def _load(self, lease: dict[str, Any]) -> None:
        """Adopt the Lease's annotations; one that is absent or cannot be read counts as the default."""
        annotations = lease["metadata"].get("annotations") or {}
        self.target_utilisation = _convert(annotations.get(TARGET_UTILISATION), TargetUtilisation, DEFAULT_UTILISATION)
        self.producer_mode = _convert(annotations.get(PRODUCER_MODE), ProducerMode, "periodic")
        self._accounting.load(annotations.get(_ACCOUNTS, ""))


def _convert(text: str | None, kind: Any, default: Any) -> Any:
    try:
        return msgspec.convert(text, kind, strict=False)
    except msgspec.ValidationError:
        return default
