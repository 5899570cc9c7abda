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
from demonstrator.platform.manifest import BundleState, Manifest, Offer

# A new version that has not started by then is rolled back.
_START_SECONDS = 10.0

_logger = logging.getLogger(__name__)


class Installer:
    """Follows the target's offers: installs, updates and removes one bundle after the other."""

    def __init__(self, bundles: Bundles, client: ProvisioningClient, directory: Path) -> None:
        self._bundles = bundles
        self._client = client
        self._directory = directory
        self._offered: tuple[Offer, ...] | None = None
        # Tried again at each change of the target.
        self._refused: list[BundleState] = []
        # By digest, none of which is tried again until another one is offered in its place.
        self._rolled_back: dict[str, BundleState] = {}
        self._reported: tuple[BundleState, ...] | None = None

    def ready(self) -> bool:
        """Tell whether every bundle of the target is installed, in any version, and none has failed."""
        states = {bundle.name: bundle.state for bundle in self._bundles.states()}
        return self._offered is not None and all(states.get(offer.name, FAILED) != FAILED for offer in self._offered)

    async def run(self) -> None:
        """Follow the offers and report states until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow())
            tasks.create_task(self._report())

    async def _follow(self) -> None:
        """Poll with the revision of the last answer: the next answer comes when there is another revision."""
        revision = last_error = ""
        while True:
            try:
                offered, offers = await self._client.offers(revision)
                if last_error:
                    # A server that was restarted has no reports: the next one is due.
                    last_error, self._reported = "", None
                    self._bundles.changes.notify_all()
                if offers is not None and not await self._follow_offers(offers):
                    # Damaged on its way: not at once again.
                    revision = ""
                    await asyncio.sleep(5)
                elif offered == revision:
                    await asyncio.sleep(1)
                else:
                    revision = offered
            except REQUEST_ERRORS as error:
                if last_error != (last_error := format_error(error)):
                    _logger.info("the provisioning server does not answer: %s", last_error)
                await asyncio.sleep(1)

    async def _follow_offers(self, offers: tuple[Offer, ...]) -> bool:
        """Install, update and remove until the offered bundles run; return False if one was damaged on its way."""
        self._offered = offers
        for name in self._bundles.archives.keys() - {offer.name for offer in offers}:
            removed = await self._drain_and_stop(name)
            removed.path.unlink(missing_ok=True)
            _logger.info("removed %s", removed)
        digests = {offer.digest for offer in offers}
        self._rolled_back = {digest: state for digest, state in self._rolled_back.items() if digest in digests}
        self._refused = []
        intact = True
        for offer in offers:
            running = self._bundles.archives.get(offer.name)
            if offer.digest in self._rolled_back or (running and offer.digest == running.digest):
                continue
            try:
                new = archive.store(await self._client.fetch(offer), offer, self._directory)
                if running:
                    await self._replace(new)
                else:
                    self._bundles.start(new)
                    _logger.info("runs %s (%s)", new, new.digest)
            except BundleError as error:
                intact = intact and not isinstance(error, DamagedError)
                self._refused.append(_failed(offer, f"refused: {error}"))
        self._bundles.changes.notify_all()
        return intact

    async def _replace(self, new: Archive) -> None:
        """Replace the running version, which is started again if the new one does not start."""
        # One that waited for a service before may go on waiting; one that ran may not.
        was_running = self._bundles.state(new.manifest.name) == RUNNING
        old = await self._drain_and_stop(new.manifest.name)
        try:
            await self._start(new, {RUNNING} if was_running else {RUNNING, WAITING})
        except BundleError as error:
            self._rolled_back[new.digest] = _failed(new.manifest, f"rolled back: {error}")
            try:
                self._bundles.start(old)
            except BundleError as again:
                raise BundleError(f"{old.manifest.version} no longer starts: {again}") from again
            _logger.info("runs %s again", old)
        else:
            old.path.unlink(missing_ok=True)
            _logger.info("runs %s (%s) in place of %s", new, new.digest, old.manifest.version)

    async def _start(self, new: Archive, started: set[str]) -> None:
        """Start a new version and wait until its state is one of `started`."""
        self._bundles.start(new)
        name = new.manifest.name
        await self._bundles.changes.wait_for(lambda: self._bundles.state(name) in {*started, FAILED}, _START_SECONDS)
        if (state := self._bundles.state(name)) not in started:
            reason = self._bundles.failure_reason(name) if state == FAILED else f"{state} after {_START_SECONDS:g} s"
            self._bundles.stop(name).path.unlink(missing_ok=True)
            raise BundleError(reason)

    async def _drain_and_stop(self, name: str) -> Archive:
        """Stop a bundle after it has handed on what it holds."""
        # What it still holds after that is lost; one processor empties a full queue in half of it.
        with suppress(TimeoutError):
            async with asyncio.timeout(60):
                await self._bundles.drain(name)
        return self._bundles.stop(name)

    async def _report(self) -> None:
        """Report at each change, and at least every 10 s."""
        last_error = ""
        while True:
            self._reported = self._states()
            try:
                await self._client.report(self._reported)
                last_error = ""
            except REQUEST_ERRORS as error:
                if last_error != (last_error := format_error(error)):
                    _logger.info("cannot report: %s", last_error)
            await self._bundles.changes.wait_for(lambda: self._states() != self._reported, 10)

    def _states(self) -> tuple[BundleState, ...]:
        return (*self._bundles.states(), *self._refused, *self._rolled_back.values())


def _failed(bundle: Manifest | Offer, state: str) -> BundleState:
    _logger.error("%s %s is %s", bundle.name, bundle.version, state)
    return BundleState(bundle.name, bundle.version, state)
