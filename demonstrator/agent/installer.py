"""Installs, updates and removes bundles as the provisioning server offers them, and reports their states."""

import asyncio
import logging
from contextlib import suppress
from pathlib import Path

from demonstrator.agent import archive
from demonstrator.agent.archive import Archive, BundleError, DamagedError
from demonstrator.agent.bundles import FAILED, RUNNING, WAITING, Bundles
from demonstrator.agent.provisioning_client import ProvisioningClient
from demonstrator.lib.errors import REQUEST_ERRORS, format_error
from demonstrator.platform.manifest import BundleState, Offer

# A new version that has not started by then is rolled back.
START_SECONDS = 10.0

# What a bundle still holds after that is lost; one processor empties a full queue in half of it.
DRAIN_SECONDS = 60.0

_RETRY_SECONDS = 1.0
_DAMAGED_SECONDS = 5.0
_REPORT_SECONDS = 10.0

_logger = logging.getLogger(__name__)


class Installer:
    """Follows the target's offers: installs, updates and removes one bundle after the other.

    A version that was rolled back is not tried again until another digest is offered in its place; a first version that
    could not be installed is tried again at each change of the target.
    """

    def __init__(self, bundles: Bundles, client: ProvisioningClient, directory: Path) -> None:
        self._bundles = bundles
        self._client = client
        self._directory = directory
        self._offered: tuple[Offer, ...] | None = None
        self._rejected: dict[str, BundleState] = {}
        self._rolled_back: dict[str, tuple[str, BundleState]] = {}

    @property
    def ready(self) -> bool:
        """True if every bundle of the target is installed, in any version, and none has failed."""
        if self._offered is None:
            return False
        states = {bundle.name: bundle.state for bundle in self._bundles.states()}
        return all(states.get(offer.name, FAILED) != FAILED for offer in self._offered)

    async def run(self) -> None:
        """Follow the offers and report states until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow())
            tasks.create_task(self._report())

    def states(self) -> tuple[BundleState, ...]:
        """Return the states of all bundles, with a reason for those that were rejected or rolled back."""
        rolled_back = (state for _, state in self._rolled_back.values())
        return (*self._bundles.states(), *self._rejected.values(), *rolled_back)

    async def _follow(self) -> None:
        """Poll with the revision of the last answer: the next answer comes when there is another revision."""
        revision = last_error = ""
        while True:
            try:
                offered, offers = await self._client.offers(revision)
                if last_error:
                    # A server that was restarted has no reports: the next one is due.
                    last_error = ""
                    self._bundles.changes.notify_all()
                if offers is not None and not await self._follow_offers(offers):
                    revision = ""
                    await asyncio.sleep(_DAMAGED_SECONDS)
                elif offered == revision:
                    await asyncio.sleep(_RETRY_SECONDS)
                else:
                    revision = offered
            except REQUEST_ERRORS as error:
                if last_error != (last_error := format_error(error)):
                    _logger.info("the provisioning server does not answer: %s", last_error)
                await asyncio.sleep(_RETRY_SECONDS)

    async def _follow_offers(self, offers: tuple[Offer, ...]) -> bool:
        """Install, update and remove until the offered bundles run; return False if one was damaged on its way."""
        self._offered = offers
        names = {offer.name for offer in offers}
        for name in self._bundles.archives.keys() - names:
            await self._remove(name)
        digests = {offer.digest for offer in offers}
        self._rolled_back = {name: entry for name, entry in self._rolled_back.items() if entry[0] in digests}
        self._rejected = {}
        intact = True
        for offer in offers:
            running = self._bundles.archives.get(offer.name)
            rolled_back, _ = self._rolled_back.get(offer.name, ("", None))
            if offer.digest in {running.digest if running else "", rolled_back}:
                continue
            try:
                fetched = archive.store(await self._client.fetch(offer), offer, self._directory)
                await self._change(offer, fetched, running)
            except BundleError as error:
                intact = intact and not isinstance(error, DamagedError)
                self._reject(offer, error)
        self._bundles.changes.notify_all()
        return intact

    async def _change(self, offer: Offer, new: Archive, old: Archive | None) -> None:
        """Replace the running version, if any; it is started again if the new one does not start."""
        if not old:
            self._start_first(offer, new)
            return
        # One that waited for a service before may go on waiting; one that ran may not.
        was_running = self._bundles.state(offer.name) == RUNNING
        await self._drain_and_stop(offer.name)
        if failure := await self._start(new, {RUNNING} if was_running else {RUNNING, WAITING}):
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

    async def _start(self, new: Archive, started: set[str]) -> str:
        """Start a new version and wait until its state is one of `started`; return why not, or ""."""
        name = new.manifest.name
        try:
            self._bundles.start(new)
        except (Exception, SystemExit) as error:  # as above
            _logger.info("%s %s cannot be started", name, new.manifest.version, exc_info=error)
            return str(error)
        await self._bundles.changes.wait_for(lambda: self._bundles.state(name) in {*started, FAILED}, START_SECONDS)
        if (state := self._bundles.state(name)) in started:
            return ""
        reason = self._bundles.failure_reason(name) if state == FAILED else f"{state} after {START_SECONDS:g} s"
        self._bundles.stop(name)
        return reason

    def _roll_back(self, offer: Offer, new: Archive, old: Archive, failure: str) -> None:
        _discard(new)
        state = BundleState(offer.name, offer.version, f"rolled back: {failure}")
        self._rolled_back[offer.name] = offer.digest, state
        _logger.error("%s %s is %s", state.name, state.version, state.state)
        try:
            self._bundles.start(old)
        except (Exception, SystemExit) as error:  # as above
            _discard(old)
            raise BundleError(f"{old.manifest.version} no longer starts: {error}") from error
        _logger.info("runs %s %s again", offer.name, old.manifest.version)

    async def _drain_and_stop(self, name: str) -> None:
        """Stop a bundle after it has handed on what it holds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                await self._bundles.drain(name)
        self._bundles.stop(name)

    async def _remove(self, name: str) -> None:
        removed = self._bundles.archives[name]
        await self._drain_and_stop(name)
        _discard(removed)
        _logger.info("removed %s %s", name, removed.manifest.version)

    def _reject(self, offer: Offer, error: BundleError) -> None:
        rejected = BundleState(offer.name, offer.version, f"refused: {error}")
        _logger.error("%s %s is %s", rejected.name, rejected.version, rejected.state)
        self._rejected[offer.name] = rejected

    async def _report(self) -> None:
        """Report at each change, and at least every _REPORT_SECONDS."""
        last_error = ""
        while True:
            change = self._bundles.changes.next
            try:
                await self._client.report(self.states())
                last_error = ""
            except REQUEST_ERRORS as error:
                if last_error != (last_error := format_error(error)):
                    _logger.info("cannot report: %s", last_error)
            try:
                async with asyncio.timeout(_REPORT_SECONDS):
                    await change.wait()
            except TimeoutError:
                continue


def _discard(unused: Archive) -> None:
    unused.path.unlink(missing_ok=True)
