"""The data store as a bundle: provides DataStore and its metrics."""

from pelix.framework import BundleContext
from pelix.ipopo.decorators import ComponentFactory, Instantiate, Provides, Requires, Validate

from demonstrator.bundles.datastore.memory_store import MemoryStore
from demonstrator.model import Metric, Result, Statistics, StoreLedger, StoreResult, new_id
from demonstrator.platform import Runtime
from demonstrator.services import DataStore, StatsProvider

# Larger answers are too large for a call.
_LATEST_LIMIT = 100


@ComponentFactory("inaetics.datastore")
@Provides([DataStore, StatsProvider])
@Requires("_runtime", Runtime)
@Instantiate("datastore")
class DataStoreComponent:
    """Passes every call to the store."""

    _runtime: Runtime
    _store: MemoryStore

    def __init__(self) -> None:
        self._latency = 0.0

    @Validate
    def start(self, _context: BundleContext) -> None:
        """Start with an empty store that has an id of its own."""
        self._store = MemoryStore(new_id(self._runtime.identity.pod))

    async def put(self, result: Result) -> StoreResult:
        """See DataStore.put."""
        self._latency = max(0.0, result.processed_at - result.batch.created_at)
        return self._store.put(result)

    async def ledger(self) -> StoreLedger:
        """See DataStore.ledger."""
        return self._store.ledger()

    async def latest(self, most: int) -> tuple[Result, ...]:
        """See DataStore.latest."""
        if not 0 <= most <= _LATEST_LIMIT:
            raise ValueError(f"most is {most}, where 0 to {_LATEST_LIMIT} are allowed")
        return self._store.latest(most)

    async def statistics(self) -> Statistics:
        """Return the stored and held samples, and the age of the last result when it was processed."""
        return Statistics(
            "datastore",
            self._runtime.identity.pod,
            (
                Metric("stored", "counter", "samples", self._store.stored),
                Metric("held", "gauge", "samples", self._store.held),
                Metric("latency", "gauge", "s", self._latency),
            ),
        )
