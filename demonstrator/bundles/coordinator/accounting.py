"""Accounts for every sample, including those that are lost with a killed queue or data store."""

import logging
from collections import Counter, deque
from collections.abc import Collection

from msgspec import Struct, field
from msgspec.structs import replace

from demonstrator.lib import codec
from demonstrator.model import PutResult, PutTotals, QueueLedger, StoreLedger, pod_of
from demonstrator.model.overview import Accounting

# So many closed queues are still corrected by what producers and data stores report of them later.
_OPEN_TO_CORRECTION = 16
# So many queues of the closed total are known by name: producers and data stores may still report some of them.
_REMEMBERED = 500

# Where the answers to producers that are gone are added up.
_FORMER = ""

_logger = logging.getLogger(__name__)


class ObservedCounters(Struct, frozen=True):
    """The counters that were read within one second, of those that answered, and the names of the pods that live."""

    queues: Collection[QueueLedger] = ()
    stores: Collection[StoreLedger] = ()
    producers: Collection[PutTotals] = ()
    # Empty while they are not known.
    pods: Collection[str] = ()


class _Account(Struct):
    """One queue's account: its own counters, and what data stores and producers have reported of it, by their ids."""

    ledger: QueueLedger
    received: dict[str, int] = field(default_factory=dict)
    answers: dict[str, PutResult] = field(default_factory=dict)

    def forget(self, sources: Collection[str]) -> None:
        """Add the answers to these producers up into one."""
        former = [answer for source in (_FORMER, *sources) if (answer := self.answers.pop(source, None))]
        accepted, refused = (sum(answer.accepted for answer in former), sum(answer.refused for answer in former))
        self.answers[_FORMER] = PutResult(accepted, refused, former[0].queue)

    def closed(self) -> QueueLedger:
        """Return the counters of a queue that is gone, which balance but for what is lost."""
        # No party counts more than what happened, and each may have been asked a little too early: the largest figure
        # is the right one.
        ledger, answers = self.ledger, self.answers.values()
        stored = {store: max(ledger.stored.get(store, 0), n) for store, n in (ledger.stored | self.received).items()}
        answered = sum(answer.accepted for answer in answers)
        accepted = max(ledger.produced - ledger.refused, answered, sum(stored.values()))
        refused = max(ledger.refused, sum(answer.refused for answer in answers))
        return replace(ledger, produced=accepted + refused, stored=stored, queued=0, in_work=0, refused=refused)


class _Total(Struct):
    """A sum over queues that are closed for good, and the names of the last ones."""

    produced: int = 0
    refused: int = 0
    lost: int = 0
    # Stored in a data store that is gone, and not lost with it.
    kept: int = 0
    # By data store.
    stored: dict[str, int] = field(default_factory=dict)
    queues: tuple[str, ...] = ()

    def add(self, ledger: QueueLedger) -> None:
        """Add what a queue has counted."""
        self.produced += ledger.produced
        self.refused += ledger.refused
        self.stored = dict(Counter(self.stored) + Counter(ledger.stored))

    def close(self, account: _Account) -> None:
        """Add a queue that is gone, and count what it had accepted and not passed on as lost."""
        ledger = account.closed()
        self.add(ledger)
        self.lost += ledger.produced - ledger.refused - sum(ledger.stored.values())

    def lose(self, store: str, capacity: int | None) -> None:
        """Count what a data store held as lost: up to its capacity, or all where that is not known."""
        samples = self.stored.pop(store, 0)
        lost = samples if capacity is None else min(samples, capacity)
        self.lost += lost
        self.kept += samples - lost


class _Accounts(Struct):
    """The accounts as one coordinator leaves them to the next."""

    accounts: dict[str, _Account]
    total: _Total
    capacities: dict[str, int]


class SampleAccounting:
    """An account for each queue, open while it may answer and closed when it is gone: see docs/architecture.md."""

    def __init__(self) -> None:
        self._accounts: dict[str, _Account] = {}
        self._total = _Total()
        self._capacities: dict[str, int] = {}
        # The last texts that were saved or loaded here: older than what was counted since.
        self._known_texts: deque[str] = deque(maxlen=4)

    def update(self, observed: ObservedCounters) -> Accounting | None:
        """Enter counters, and return the sum over all samples; None while there never was a queue."""
        self._enter(observed)
        gone = _gone(self._accounts, {ledger.queue for ledger in observed.queues}, observed.pods)
        closed = [name for name in self._accounts if name in gone]
        for name in closed[:-_OPEN_TO_CORRECTION]:
            self._total.close(self._accounts.pop(name))
            self._total.queues = (*self._total.queues, name)[-_REMEMBERED:]
        named = {store for account in self._accounts.values() for store in account.ledger.stored | account.received}
        stores = {*self._total.stored, *self._capacities, *named}
        gone_stores = _gone(stores, {store.store for store in observed.stores}, observed.pods)
        for store in gone_stores - named:
            self._total.lose(store, self._capacities.pop(store, None))
        if not self._accounts:
            return None
        total = replace(self._total, stored=self._total.stored.copy())
        for name in closed[-_OPEN_TO_CORRECTION:]:
            total.close(self._accounts[name])
        open_ledgers = [account.ledger for name, account in self._accounts.items() if name not in gone]
        for ledger in open_ledgers:
            total.add(ledger)
        for store in gone_stores:
            total.lose(store, self._capacities.get(store))
        return Accounting(
            capacity=sum(ledger.capacity for ledger in observed.queues),
            produced=total.produced,
            stored=total.kept + sum(total.stored.values()),
            queued=sum(ledger.queued for ledger in open_ledgers),
            in_work=sum(ledger.in_work for ledger in open_ledgers),
            refused=total.refused,
            lost=total.lost,
        )

    def save(self) -> str:
        """Return all accounts as text, for the coordinator that goes on with them."""
        text = codec.encode(_Accounts(self._accounts, self._total, self._capacities)).decode()
        self._known_texts.append(text)
        return text

    def load(self, text: str) -> None:
        """Go on from accounts that another coordinator has saved.

        A text that was saved or loaded here changes nothing, since it would take back what was counted since; nor
        does one that cannot be read.
        """
        known = text in self._known_texts
        self._known_texts.append(text)
        if known or not text:
            return
        try:
            saved = codec.decode(_Accounts, text, "saved accounts")
        except codec.DecodeError as error:
            _logger.warning("counting goes on without the saved accounts, which cannot be read: %s", error)
            return
        self._accounts, self._total, self._capacities = saved.accounts, saved.total, saved.capacities

    def _enter(self, observed: ObservedCounters) -> None:
        for ledger in observed.queues:
            self._account(ledger.queue).ledger = ledger
        for store in observed.stores:
            self._capacities[store.store] = store.capacity
            for queue, samples in store.received.items():
                if queue not in self._total.queues:
                    self._account(queue).received[store.store] = samples
        for producer in observed.producers:
            for queue, answer in producer.by_queue.items():
                if queue not in self._total.queues:
                    self._account(queue).answers[producer.source] = answer
        answering = {producer.source for producer in observed.producers}
        for account in self._accounts.values():
            if former := _gone(account.answers.keys() - {_FORMER}, answering, observed.pods):
                account.forget(former)

    def _account(self, queue: str) -> _Account:
        """Return the account of a queue, which others may report before the queue does, or in its place."""
        return self._accounts.setdefault(queue, _Account(QueueLedger(queue, 0, 0, {}, 0, 0, 0)))


def _gone(names: Collection[str], answering: Collection[str], pods: Collection[str]) -> set[str]:
    """Return the ids with a successor in their pod, or of a pod that is gone: a silent one may answer again."""
    replaced = {pod_of(name) for name in answering}
    return {
        name
        for name in names
        if name not in answering and (pod_of(name) in replaced or (pods and pod_of(name) not in pods))
    }
