"""Accounts for every sample, including those that are lost with a killed queue or data store."""

import logging
from collections import Counter, deque
from collections.abc import Collection, Iterator, Mapping
from typing import TypeVar

from msgspec import Struct, field
from msgspec.structs import replace

from demonstrator.lib import codec
from demonstrator.model import PutResult, PutTotals, QueueLedger, StoreLedger, pod_of
from demonstrator.model.overview import Accounting

# So many closed queues are still corrected by what producers and data stores report of them later.
OPEN_TO_CORRECTION = 16
# So many queues of the closed total are known by name: producers and data stores may still report some of them.
REMEMBERED = 500

# Where the answers to producers that are gone are added up.
_FORMER = ""

_logger = logging.getLogger(__name__)

_T = TypeVar("_T")


class ObservedCounters(Struct, frozen=True):
    """The counters that were read within one second.

    Attributes:
        queues: of the queues that answered.
        stores: of the data stores that answered.
        producers: of the producers that answered.
        pods: the names of the pods that live; empty while they are not known.
    """

    queues: Collection[QueueLedger] = ()
    stores: Collection[StoreLedger] = ()
    producers: Collection[PutTotals] = ()
    pods: Collection[str] = ()


class Account(Struct, frozen=True):
    """One queue's account.

    Attributes:
        ledger: the queue's own counters, as it reported them last.
        received: the samples that each data store has reported to have of this queue.
        answers: what this queue has answered each producer, as the producer reported it.
    """

    ledger: QueueLedger
    received: dict[str, int] = field(default_factory=dict)
    answers: dict[str, PutResult] = field(default_factory=dict)

    def closed(self) -> QueueLedger:
        """Return the counters of a queue that is gone, which balance but for what is lost.

        No party counts more than what happened, and each may have been asked a little too early: the largest figure
        is the right one.
        """
        ledger, answers = self.ledger, self.answers.values()
        stored = {store: max(ledger.stored.get(store, 0), n) for store, n in (ledger.stored | self.received).items()}
        accepted = max(
            ledger.produced - ledger.refused, sum(answer.accepted for answer in answers), sum(stored.values())
        )
        refused = max(ledger.refused, sum(answer.refused for answer in answers))
        return replace(ledger, produced=accepted + refused, stored=stored, queued=0, in_work=0, refused=refused)


class Total(Struct, frozen=True):
    """The sum over the queues that are closed for good.

    Attributes:
        produced: as in a ledger.
        refused: as in a ledger.
        lost: with their queue, or with a data store that no account names any more.
        kept: stored in such a data store, and not lost with it.
        stored: by data store.
        queues: the last ones that went into this total.
    """

    produced: int = 0
    refused: int = 0
    lost: int = 0
    kept: int = 0
    stored: dict[str, int] = field(default_factory=dict)
    queues: tuple[str, ...] = ()


class SavedAccounts(Struct, frozen=True):
    """The accounts as one coordinator leaves them to the next."""

    accounts: dict[str, Account]
    total: Total
    capacities: dict[str, int]


class SampleAccounting:
    """An account for each queue, open while it may answer and closed when it is gone.

    An open account is the queue's own ledger, which balances by itself. What a closed one had accepted and no data
    store received is lost, and so is what a data store that is gone had stored, up to its capacity: what was older
    had left it before.
    """

    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {}
        self._total = Total()
        self._capacities: dict[str, int] = {}
        # The last texts that were saved or loaded here: older than what was counted since.
        self._known_texts: deque[str] = deque(maxlen=4)

    def update(self, observed: ObservedCounters) -> Accounting | None:
        """Enter counters, and return the sum over all samples; None while there never was a queue."""
        self._enter(observed)
        queues = _gone(self._accounts, {ledger.queue for ledger in observed.queues}, observed.pods)
        stores = _gone(self._stores(), {store.store for store in observed.stores}, observed.pods)
        self._close_for_good([name for name in self._accounts if name in queues], stores)
        if not self._accounts:
            return None
        return self._sum(observed.queues, queues, stores)

    def save(self) -> str:
        """Return all accounts as text, for the coordinator that goes on with them."""
        text = codec.encode(SavedAccounts(self._accounts, self._total, self._capacities)).decode()
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
            saved = codec.decode(SavedAccounts, text, "saved accounts")
        except codec.DecodeError as error:
            _logger.warning("counting goes on without the saved accounts, which cannot be read: %s", error)
            return
        self._accounts, self._total, self._capacities = saved.accounts, saved.total, saved.capacities

    def _enter(self, observed: ObservedCounters) -> None:
        for ledger in observed.queues:
            self._accounts[ledger.queue] = replace(self._account(ledger.queue), ledger=ledger)
        for store in observed.stores:
            self._capacities[store.store] = store.capacity
            for queue, samples in self._not_in_total(store.received):
                account = self._account(queue)
                self._accounts[queue] = replace(account, received=account.received | {store.store: samples})
        for producer in observed.producers:
            for queue, answer in self._not_in_total(producer.by_queue):
                account = self._account(queue)
                self._accounts[queue] = replace(account, answers=account.answers | {producer.source: answer})
        answering = {producer.source for producer in observed.producers}
        for queue, account in self._accounts.items():
            former = _gone(account.answers.keys() - {_FORMER}, answering, observed.pods)
            if former:
                self._accounts[queue] = replace(account, answers=_add_up(account.answers, former | {_FORMER}))

    def _account(self, queue: str) -> Account:
        """Return the account of a queue, which others may report before the queue does, or in its place."""
        return self._accounts.get(queue) or Account(QueueLedger(queue, 0, 0, {}, 0, 0, 0))

    def _not_in_total(self, by_queue: Mapping[str, _T]) -> Iterator[tuple[str, _T]]:
        return ((queue, value) for queue, value in by_queue.items() if queue not in self._total.queues)

    def _stores_of_accounts(self) -> set[str]:
        return {store for account in self._accounts.values() for store in account.ledger.stored | account.received}

    def _stores(self) -> set[str]:
        return {*self._total.stored, *self._capacities} | self._stores_of_accounts()

    def _close_for_good(self, closed: list[str], gone_stores: set[str]) -> None:
        """Add the oldest closed accounts up into the total, and the data stores that only the total names."""
        total = self._total
        for name in closed[:-OPEN_TO_CORRECTION]:
            ledger = self._accounts.pop(name).closed()
            total = replace(
                total,
                produced=total.produced + ledger.produced,
                refused=total.refused + ledger.refused,
                lost=total.lost + _unaccounted(ledger),
                stored=dict(Counter(total.stored) + Counter(ledger.stored)),
                queues=(*total.queues, name)[-REMEMBERED:],
            )
        for store in gone_stores - self._stores_of_accounts():
            samples = total.stored.get(store, 0)
            lost = min(samples, self._capacities.pop(store, samples))
            others = {name: number for name, number in total.stored.items() if name != store}
            total = replace(total, lost=total.lost + lost, kept=total.kept + samples - lost, stored=others)
        self._total = total

    def _sum(self, live: Collection[QueueLedger], gone_queues: set[str], gone_stores: set[str]) -> Accounting:
        total = self._total
        stored, lost = Counter(total.stored), total.lost
        ledgers = []
        for name, account in self._accounts.items():
            ledger = account.ledger
            if name in gone_queues:
                ledger = account.closed()
                lost += _unaccounted(ledger)
            stored.update(ledger.stored)
            ledgers.append(ledger)
        lost_with_stores = sum(min(stored[store], self._capacities.get(store, stored[store])) for store in gone_stores)
        return Accounting(
            capacity=sum(ledger.capacity for ledger in live),
            produced=total.produced + sum(ledger.produced for ledger in ledgers),
            stored=total.kept + stored.total() - lost_with_stores,
            queued=sum(ledger.queued for ledger in ledgers),
            in_work=sum(ledger.in_work for ledger in ledgers),
            refused=total.refused + sum(ledger.refused for ledger in ledgers),
            lost=lost + lost_with_stores,
        )


def _gone(names: Collection[str], answering: Collection[str], pods: Collection[str]) -> set[str]:
    """Return those of these ids that are gone: one that is merely silent may answer again.

    Gone is what has a successor in its pod, and what belongs to a pod that is gone.
    """
    replaced = {pod_of(name) for name in answering}
    return {
        name
        for name in names
        if name not in answering and (pod_of(name) in replaced or (pods and pod_of(name) not in pods))
    }


def _add_up(answers: Mapping[str, PutResult], sources: Collection[str]) -> dict[str, PutResult]:
    """Return the answers with those to these sources added up into one."""
    former = [answer for source, answer in answers.items() if source in sources]
    others = {source: answer for source, answer in answers.items() if source not in sources}
    accepted, refused = (sum(answer.accepted for answer in former), sum(answer.refused for answer in former))
    return others | {_FORMER: PutResult(accepted, refused, former[0].queue)}


def _unaccounted(ledger: QueueLedger) -> int:
    return ledger.produced - sum(ledger.stored.values()) - ledger.queued - ledger.in_work - ledger.refused
