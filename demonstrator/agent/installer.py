"""Keeps the agent's bundles as the provisioning server offers them, and tells it what runs."""

import asyncio
import logging
from contextlib import suppress
from pathlib import Path

from demonstrator.agent import archive
from demonstrator.agent.archive import Archive, BundleError, DamagedError
from demonstrator.agent.bundles import FAILED, RUNNING, WAITING, Bundles
from demonstrator.agent.provisioning_client import NO_ANSWER, Server
from demonstrator.platform.manifest import BundleState, Offer
from demonstrator.remote.contract import format_error

# A new version that has not started by then makes way for the one that ran before.
START_SECONDS = 10.0

# What a bundle still holds by then goes with it; one processor works off a full queue in half of it.
DRAIN_SECONDS = 60.0

_RETRY_SECONDS = 1.0
_DAMAGED_SECONDS = 5.0
_REPORT_SECONDS = 10.0

_logger = logging.getLogger(__name__)


class Installer:
    """Follows the target's offer: installs, updates and removes, one bundle after the other.

    A version that was rolled back is not tried again until another digest is offered in its place; one
    that could not be installed in the first place is, whenever anything about the target changes.
    """

    def __init__(self, bundles: Bundles, server: Server, directory: Path) -> None:
        self._bundles = bundles
        self._server = server
        self._directory = directory
        self._offered: tuple[Offer, ...] | None = None
        self._refused: dict[str, BundleState] = {}
        self._rolled_back: dict[str, tuple[str, BundleState]] = {}

    @property
    def ready(self) -> bool:
        """Whether every bundle of the target is there, in whatever version, and none has failed."""
        if self._offered is None:
            return False
        states = {bundle.name: bundle.state for bundle in self._bundles.states()}
        return all(states.get(offer.name, FAILED) != FAILED for offer in self._offered)

    async def run(self) -> None:
        """Follow and report until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow())
            tasks.create_task(self._report())

    def states(self) -> tuple[BundleState, ...]:
        """Every bundle with what its components do, and every one that is not run with the reason."""
        rolled_back = (state for _, state in self._rolled_back.values())
        return (*self._bundles.states(), *self._refused.values(), *rolled_back)

    async def _follow(self) -> None:
        """Ask with what is known: the answer comes when there is something else to know."""
        known = trouble = ""
        while True:
            try:
                revision, offers = await self._server.offers(known)
                if trouble:
                    # A server that was away may have forgotten who runs what.
                    trouble = ""
                    self._bundles.changes.tell()
                if offers is not None and not await self._follow_offers(offers):
                    known = ""
                    await asyncio.sleep(_DAMAGED_SECONDS)
                elif revision == known:
                    await asyncio.sleep(_RETRY_SECONDS)
                else:
                    known = revision
            except NO_ANSWER as error:
                if trouble != (trouble := format_error(error)):
                    _logger.info("the provisioning server does not answer: %s", trouble)
                await asyncio.sleep(_RETRY_SECONDS)

    async def _follow_offers(self, offers: tuple[Offer, ...]) -> bool:
        """Make what runs what is offered; False when a bundle came damaged and is to be fetched again."""
        self._offered = offers
        names = {offer.name for offer in offers}
        for name in self._bundles.archives.keys() - names:
            await self._remove(name)
        digests = {offer.digest for offer in offers}
        self._rolled_back = {name: kept for name, kept in self._rolled_back.items() if kept[0] in digests}
        self._refused = {}
        intact = True
        for offer in offers:
            running = self._bundles.archives.get(offer.name)
            rolled_back, _ = self._rolled_back.get(offer.name, ("", None))
            if offer.digest in {running.digest if running else "", rolled_back}:
                continue
            try:
                kept = archive.keep(await self._server.fetch(offer), offer, self._directory)
                await self._change(offer, kept, running)
            except BundleError as error:
                intact = intact and not isinstance(error, DamagedError)
                self._refuse(offer, error)
        self._bundles.changes.tell()
        return intact

    async def _change(self, offer: Offer, new: Archive, old: Archive | None) -> None:
        """Start a version in place of the one that runs, if any; the old one comes back when the new does not start."""
        was_running = bool(old) and self._bundles.state(offer.name) == RUNNING
        if old:
            await self._retire(offer.name)
        if not old:
            self._start_first(offer, new)
        elif failure := await self._start(new, was_running):
            self._roll_back(offer, new, old, failure)
        else:
            _discard(old)
            _logger.info(
                "runs %s %s (%s) in place of %s", offer.name, offer.version, offer.digest, old.manifest.version
            )

    def _start_first(self, offer: Offer, new: Archive) -> None:
        try:
            self._bundles.start(new)
        except (Exception, SystemExit) as error:  # a bundle's code may raise anything: the agent goes on without it
            _discard(new)
            _logger.info("%s %s cannot be started", offer.name, offer.version, exc_info=error)
            raise BundleError(str(error)) from error
        _logger.info("runs %s %s (%s)", offer.name, offer.version, offer.digest)

    async def _start(self, new: Archive, was_running: bool) -> str:
        """Start a version that takes another one's place; why it did not start, or nothing when it did."""
        name = new.manifest.name
        try:
            self._bundles.start(new)
        except (Exception, SystemExit) as error:  # as above
            _logger.info("%s %s cannot be started", name, new.manifest.version, exc_info=error)
            return str(error)
        # One that had to wait for a service before may go on waiting; one that ran may not.
        started = {RUNNING} if was_running else {RUNNING, WAITING}
        await self._bundles.changes.until(lambda: self._bundles.state(name) in {*started, FAILED}, START_SECONDS)
        if (state := self._bundles.state(name)) in started:
            return ""
        complaint = self._bundles.complaint(name) if state == FAILED else f"{state} after {START_SECONDS:g} s"
        self._bundles.stop(name)
        return complaint

    def _roll_back(self, offer: Offer, new: Archive, old: Archive, failure: str) -> None:
        _discard(new)
        state = BundleState(offer.name, offer.version, f"rolled back: {failure}")
        self._rolled_back[offer.name] = offer.digest, state
        _logger.error("%s %s is %s", state.name, state.version, state.state)
        try:
            self._bundles.start(old)
        except (Exception, SystemExit) as error:  # it did start before: whatever it is now, the agent goes on
            _discard(old)
            raise BundleError(f"{old.manifest.version} does not start any more: {error}") from error
        _logger.info("runs %s %s again", offer.name, old.manifest.version)

    async def _retire(self, name: str) -> None:
        """Take out a bundle that runs, once it holds nothing any more."""
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                await self._bundles.drain(name)
        self._bundles.stop(name)

    async def _remove(self, name: str) -> None:
        removed = self._bundles.archives[name]
        await self._retire(name)
        _discard(removed)
        _logger.info("removed %s %s", name, removed.manifest.version)

    def _refuse(self, offer: Offer, error: BundleError) -> None:
        refused = BundleState(offer.name, offer.version, f"refused: {error}")
        _logger.error("%s %s is %s", refused.name, refused.version, refused.state)
        self._refused[offer.name] = refused

    async def _report(self) -> None:
        """Report at each change and every now and then."""
        trouble = ""
        while True:
            change = self._bundles.changes.next
            try:
                await self._server.report(self.states())
                trouble = ""
            except NO_ANSWER as error:
                if trouble != (trouble := format_error(error)):
                    _logger.info("cannot report: %s", trouble)
            try:
                async with asyncio.timeout(_REPORT_SECONDS):
                    await change.wait()
            except TimeoutError:
                continue


def _discard(unused: Archive) -> None:
    unused.path.unlink(missing_ok=True)
