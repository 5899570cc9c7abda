"""The books: what became of every sample, also of those that a killed queue or data store took along."""

import logging
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from demonstrator.lib import codec
from demonstrator.model.samples import Accounting, PutResult, PutTotals, QueueLedger, StoreLedger, pod_of

# So many closed queues are still corrected by what producers and data stores say of them later.
OPEN_TO_CORRECTION = 16
# Of so many others it is known that they are in the closed total: some of the queues that producers and
# data stores tell of may be as old.
REMEMBERED = 500

# Where the answers to producers that are gone are added up.
_FORMER = ""

_logger = logging.getLogger(__name__)

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Seen:
    """What was told within one second.

    Attributes:
        ledgers: of the queues that answered.
        stores: of the data stores that answered.
        receipts: of the producers that answered.
        pods: those that live, by name; none while they are not known.
    """

    ledgers: Collection[QueueLedger] = ()
    stores: Collection[StoreLedger] = ()
    receipts: Collection[PutTotals] = ()
    pods: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Account:
    """What is known of one queue.

    Attributes:
        ledger: as the queue told it last.
        received: what each data store told last to have received of this queue.
        answers: what each producer told last that this queue had answered.
    """

    ledger: QueueLedger
    received: dict[str, int] = field(default_factory=dict)
    answers: dict[str, PutResult] = field(default_factory=dict)

    def closed(self) -> QueueLedger:
        """The ledger of a queue that is gone, which balances but for what is lost.

        Whoever had to do with the queue tells no more than what happened, and may have been asked a
        little too early: the largest figure is the right one.
        """
        told, answers = self.ledger, self.answers.values()
        stored = {store: max(told.stored.get(store, 0), n) for store, n in (told.stored | self.received).items()}
        accepted = max(told.produced - told.refused, sum(answer.accepted for answer in answers), sum(stored.values()))
        refused = max(told.refused, sum(answer.refused for answer in answers))
        return QueueLedger(told.queue, told.capacity, accepted + refused, stored, queued=0, in_work=0, refused=refused)


@dataclass(frozen=True, slots=True)
class Total:
    """What became of the samples of the queues that are closed for good.

    Attributes:
        produced: as in a ledger.
        refused: as in a ledger.
        lost: with their queue, or with a data store that no account tells of any more.
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


@dataclass(frozen=True, slots=True)
class _Page:
    """All of it, as it is saved."""

    accounts: dict[str, Account]
    total: Total
    capacities: dict[str, int]


class Books:
    """An account for each queue, open while it may answer and closed when it is gone.

    An open account is the queue's own ledger, which balances by itself. What a closed one had accepted
    and no data store received is lost, and so is what a data store that is gone had stored, up to what
    it could hold: what was older had left it in its time.
    """

    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {}
        self._total = Total()
        self._capacities: dict[str, int] = {}

    def observe(self, seen: Seen) -> Accounting | None:
        """Enter what was told, and say what became of all samples; None while there never was a queue."""
        self._enter(seen)
        queues = _gone(self._accounts, {ledger.queue for ledger in seen.ledgers}, seen.pods)
        stores = _gone(self._stores(), {store.store for store in seen.stores}, seen.pods)
        self._close_for_good([name for name in self._accounts if name in queues], stores)
        if not self._accounts:
            return None
        return self._sum(seen.ledgers, queues, stores)

    def save(self) -> str:
        """Everything as text, for whoever goes on."""
        return codec.encode(_Page(self._accounts, self._total, self._capacities)).decode()

    def load(self, text: str) -> None:
        """Go on from what was saved; text that nobody saved changes nothing."""
        try:
            page: _Page = codec.decode(_Page, text, "books")
        except codec.DecodeError as error:
            _logger.warning("the accounts that were kept cannot be read, counting goes on without: %s", error)
            return
        self._accounts, self._total, self._capacities = dict(page.accounts), page.total, dict(page.capacities)

    def _enter(self, seen: Seen) -> None:
        for ledger in seen.ledgers:
            self._accounts[ledger.queue] = replace(self._account(ledger.queue), ledger=ledger)
        for store in seen.stores:
            self._capacities[store.store] = store.capacity
            for queue, samples in self._apart(store.received):
                account = self._account(queue)
                self._accounts[queue] = replace(account, received=account.received | {store.store: samples})
        for producer in seen.receipts:
            for queue, answer in self._apart(producer.by_queue):
                account = self._account(queue)
                self._accounts[queue] = replace(account, answers=account.answers | {producer.source: answer})
        told = {producer.source for producer in seen.receipts}
        for queue, account in self._accounts.items():
            former = _gone(account.answers.keys() - {_FORMER}, told, seen.pods)
            if former:
                self._accounts[queue] = replace(account, answers=_add_up(account.answers, former | {_FORMER}))

    def _account(self, queue: str) -> Account:
        """The account of a queue, which somebody else may tell of before it does, or in its place."""
        return self._accounts.get(queue) or Account(QueueLedger(queue, 0, 0, {}, 0, 0, 0))

    def _apart(self, by_queue: Mapping[str, _T]) -> Iterator[tuple[str, _T]]:
        """What is not in the closed total."""
        return ((queue, value) for queue, value in by_queue.items() if queue not in self._total.queues)

    def _stores(self) -> set[str]:
        return {*self._total.stored, *self._capacities}.union(
            *({*account.ledger.stored, *account.received} for account in self._accounts.values())
        )

    def _close_for_good(self, closed: list[str], gone_stores: set[str]) -> None:
        """Add the oldest closed accounts up into the total, and the data stores that only the total tells of."""
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
        for store in gone_stores - set().union(
            *({*account.ledger.stored, *account.received} for account in self._accounts.values())
        ):
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
        taken_along = sum(min(stored[store], self._capacities.get(store, stored[store])) for store in gone_stores)
        return Accounting(
            capacity=sum(ledger.capacity for ledger in live),
            produced=total.produced + sum(ledger.produced for ledger in ledgers),
            stored=total.kept + stored.total() - taken_along,
            queued=sum(ledger.queued for ledger in ledgers),
            in_work=sum(ledger.in_work for ledger in ledgers),
            refused=total.refused + sum(ledger.refused for ledger in ledgers),
            lost=lost + taken_along,
        )


def _gone(names: Collection[str], told: Collection[str], pods: Collection[str]) -> set[str]:
    """Those of these names whose bearers are gone: who is merely silent may answer again.

    Gone is what another one has taken the place of in its pod, and what belongs to a pod that is gone.
    """
    replaced = {pod_of(name) for name in told}
    return {
        name for name in names if name not in told and (pod_of(name) in replaced or (pods and pod_of(name) not in pods))
    }


def _add_up(answers: Mapping[str, PutResult], sources: Collection[str]) -> dict[str, PutResult]:
    """The answers with those to these sources put together."""
    former = [answer for source, answer in answers.items() if source in sources]
    kept = {source: answer for source, answer in answers.items() if source not in sources}
    accepted, refused = (sum(answer.accepted for answer in former), sum(answer.refused for answer in former))
    return kept | {_FORMER: PutResult(accepted, refused, former[0].queue)}


def _unaccounted(ledger: QueueLedger) -> int:
    return ledger.produced - sum(ledger.stored.values()) - ledger.queued - ledger.in_work - ledger.refused
