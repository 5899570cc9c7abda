"""The data store as a bundle: provides DataStore and its figures."""

from pelix.framework import BundleContext
from pelix.ipopo.decorators import ComponentFactory, Instantiate, Provides, Requires, Validate

from demonstrator.bundles.datastore.memory import MemoryStore
from demonstrator.model.samples import Metric, Result, Statistics, StoreLedger, StoreResult, new_id
from demonstrator.platform.spi import Runtime
from demonstrator.services.data_path import DataStore, StatsProvider

# An answer with more would be larger than a page needs and a call should be.
_LATEST_LIMIT = 100


@ComponentFactory("inaetics.datastore")
@Provides([DataStore, StatsProvider])
@Requires("_runtime", Runtime)
@Instantiate("datastore")
class DataStoreComponent:
    """Hands every call on to the plain store."""

    _runtime: Runtime
    _store: MemoryStore

    def __init__(self) -> None:
        self._latency = 0.0

    @Validate
    def start(self, context: BundleContext) -> None:
        """Begin empty, as a data store of its own."""
        self._store = MemoryStore(new_id(self._runtime.identity.pod))

    async def put(self, result: Result) -> StoreResult:
        """See DataStore.put."""
        self._latency = max(0.0, result.finished_at - result.batch.made_at)
        return self._store.put(result)

    async def ledger(self) -> StoreLedger:
        """See DataStore.ledger."""
        return self._store.ledger()

    async def latest(self, most: int) -> tuple[Result, ...]:
        """See DataStore.latest."""
        if not 0 <= most <= _LATEST_LIMIT:
            raise ValueError(f"most is {most}, where 0 to {_LATEST_LIMIT} may be asked for")
        return self._store.latest(most)

    async def statistics(self) -> Statistics:
        """How much is stored, and how old a result was when it was finished."""
        return Statistics(
            "datastore",
            self._runtime.identity.pod,
            (
                Metric("stored", "counter", "samples", self._store.stored),
                Metric("held", "gauge", "samples", self._store.held),
                Metric("latency", "gauge", "s", self._latency),
            ),
        )
