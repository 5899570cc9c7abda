"""The data store as a bundle: provides DataStore and its figures."""

from pelix.ipopo.decorators import ComponentFactory, Instantiate, Provides, Requires

from demonstrator.bundles.datastore.memory import MemoryStore
from demonstrator.contracts.platform import Runtime
from demonstrator.contracts.samples import Result, Statistic, Statistics
from demonstrator.contracts.services import DataStore, StatsProvider

# An answer with more would be larger than a page needs and a call should be.
_LATEST_LIMIT = 100


@ComponentFactory("inaetics.datastore")
@Provides([DataStore, StatsProvider])
@Requires("_runtime", Runtime)
@Instantiate("datastore")
class DataStoreComponent:
    """Hands every call on to the plain store."""

    _runtime: Runtime

    def __init__(self) -> None:
        self._store = MemoryStore()
        self._latency = 0.0

    async def put(self, result: Result) -> bool:
        """See DataStore.put."""
        self._latency = max(0.0, result.finished_at - result.batch.made_at)
        return self._store.put(result)

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
                Statistic("stored", "counter", "samples", self._store.stored),
                Statistic("held", "gauge", "samples", self._store.held),
                Statistic("latency", "gauge", "s", self._latency),
            ),
        )
