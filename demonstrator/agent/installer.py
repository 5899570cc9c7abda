"""Gets the agent's bundles from the provisioning server, starts them and reports back."""

import asyncio
import logging
from pathlib import Path

import aiohttp
from pelix.framework import Bundle, BundleContext
from pelix.ipopo.constants import use_ipopo
from pelix.ipopo.instance import StoredInstance

from demonstrator.agent import archive
from demonstrator.agent.imports import Imports
from demonstrator.agent.proxy import name_error
from demonstrator.contracts import wire
from demonstrator.contracts.manifest import BundleState, Manifest, Offer, Report
from demonstrator.contracts.platform import Identity

_logger = logging.getLogger(__name__)

_RETRY_SECONDS = 1.0
_REFUSED_SECONDS = 5.0
_REPORT_SECONDS = 10.0
_FAILED = "failed"
_NO_ANSWER = (aiohttp.ClientError, OSError, TimeoutError, wire.WireError)


class Installer:
    """Installs what the target has, once; a refused bundle is asked for again and again."""

    def __init__(
        self,
        context: BundleContext,
        identity: Identity,
        url: str,
        directory: Path,
        imports: Imports,
        session: aiohttp.ClientSession,
    ) -> None:
        self._context = context
        self._identity = identity
        self._url = url
        self._directory = directory
        self._imports = imports
        self._session = session
        self._installed: dict[str, tuple[Manifest, Bundle]] = {}
        self._refused: dict[str, BundleState] = {}
        self._complete = False

    @property
    def ready(self) -> bool:
        """Whether every bundle of the target is there and none has failed."""
        return self._complete and all(bundle.state != _FAILED for bundle in self.states())

    async def run(self) -> None:
        """Install every bundle of the target, then report every now and then."""
        trouble = ""
        while not self._complete:
            try:
                self._complete = await self._install()
                await self._report()
            except _NO_ANSWER as error:
                if trouble != (trouble := name_error(error)):
                    _logger.info("waiting for its bundles: %s", trouble)
            if not self._complete:
                await asyncio.sleep(_REFUSED_SECONDS if self._refused else _RETRY_SECONDS)
        _logger.info("all bundles of %s run", self._identity.target)
        while True:
            await asyncio.sleep(_REPORT_SECONDS)
            try:
                await self._report()
            except _NO_ANSWER as error:
                _logger.info("cannot report: %s", name_error(error))

    async def _install(self) -> bool:
        """Install what is missing; False when a bundle had to be refused."""
        url = f"{self._url}/targets/{self._identity.target}"
        async with self._session.get(url, raise_for_status=True) as response:
            offers = wire.decode(tuple[Offer, ...], wire.loads(await response.read()), "bundles")
        for offer in offers:
            if offer.name in self._installed:
                continue
            try:
                await self._install_one(offer)
            except _NO_ANSWER:
                raise
            except Exception as error:  # a bundle's code may raise anything: the agent goes on without it
                self._refuse(offer, error)
            else:
                self._refused.pop(offer.name, None)
        return not self._refused

    def _refuse(self, offer: Offer, error: Exception) -> None:
        refused = BundleState(offer.name, offer.version, f"refused: {error}")
        if self._refused.get(offer.name) != refused:
            traceback = None if isinstance(error, archive.BundleError) else error
            _logger.error("%s %s is %s", refused.name, refused.version, refused.state, exc_info=traceback)
        self._refused[offer.name] = refused

    async def _install_one(self, offer: Offer) -> None:
        content = await archive.fetch(self._session, self._url, offer)
        manifest = archive.unpack(content, offer, self._directory)
        bundle = self._context.install_bundle(manifest.module)
        # The bundle's module is imported by now, and with it the contracts it needs.
        self._imports.want(manifest.imports)
        bundle.start()
        self._installed[manifest.name] = manifest, bundle
        _logger.info("runs %s %s (%s)", manifest.name, manifest.version, offer.digest)

    def states(self) -> tuple[BundleState, ...]:
        """Every bundle with what its components do."""
        running = (
            BundleState(manifest.name, manifest.version, self._state_of(manifest))
            for manifest, _ in self._installed.values()
        )
        return (*running, *self._refused.values())

    def _state_of(self, manifest: Manifest) -> str:
        with use_ipopo(self._context) as ipopo:
            states = {
                state
                for name, factory, state in ipopo.get_instances()
                if ipopo.get_factory_bundle(factory).get_symbolic_name() == manifest.module
            }
        if StoredInstance.ERRONEOUS in states:
            return _FAILED
        return "running" if states <= {StoredInstance.VALID} else "waiting"

    async def _report(self) -> None:
        identity = self._identity
        report = Report(identity.target, identity.node, self.states())
        url = f"{self._url}/agents/{identity.pod}"
        async with self._session.put(url, data=wire.dumps(report), raise_for_status=True):
            pass
