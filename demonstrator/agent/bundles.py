"""The bundles in this agent's framework: started from their archives, and stopped."""

import asyncio
import logging

from pelix.framework import Bundle, BundleContext, BundleException
from pelix.ipopo.constants import IPOPO_FACTORY_CONTEXT, IPopoEvent, use_ipopo
from pelix.ipopo.instance import StoredInstance

from demonstrator.agent.archive import Archive, BundleError
from demonstrator.lib.notifier import Notifier
from demonstrator.platform import Drainable
from demonstrator.platform.manifest import BundleState
from demonstrator.remote.imports import Imports

RUNNING, WAITING, FAILED = "running", "waiting", "failed"

_logger = logging.getLogger(__name__)


class Bundles:
    """Starts and stops bundles by name; `changes` notifies of every change of their components."""

    def __init__(self, context: BundleContext, imports: Imports) -> None:
        self._context = context
        self._imports = imports
        self._started: dict[str, Bundle] = {}
        self.archives: dict[str, Archive] = {}
        self.changes = Notifier()
        with use_ipopo(context) as ipopo:
            ipopo.add_listener(self)

    def handle_ipopo_event(self, _event: IPopoEvent) -> None:
        """Called by iPOPO, in the event loop's thread."""
        self.changes.notify_all()

    def start(self, archive: Archive) -> None:
        """Import a bundle's code from its archive and start it; raises BundleError, with nothing left of the bundle."""
        name = archive.manifest.name
        try:
            archive.open()
            self.archives[name] = archive
            self._started[name] = self._context.install_bundle(archive.manifest.module)
            # The bundle's module is imported by now, and has declared the contracts that it needs.
            self._require_imports()
            self._started[name].start()
        except (Exception, SystemExit) as error:  # a bundle's code may raise anything: the agent goes on without it
            _logger.info("%s cannot be started", archive, exc_info=error)
            if name in self.archives:
                self.stop(name)
            archive.path.unlink(missing_ok=True)
            raise BundleError(str(error)) from error
        self.changes.notify_all()

    async def drain(self, *names: str) -> None:
        """Let the components of these bundles hand on what they hold, all at the same time."""
        asked = [self._started[name] for name in names]
        services = self._context.get_all_service_references(Drainable) or ()
        drains = (self._context.get_service(each).drain() for each in services if each.get_bundle() in asked)
        for outcome in await asyncio.gather(*drains, return_exceptions=True):
            if isinstance(outcome, Exception):
                _logger.error("a bundle could not be drained", exc_info=outcome)

    def stop(self, name: str) -> Archive:
        """Uninstall a bundle with its components, services and modules, and return its archive."""
        try:
            if bundle := self._started.pop(name, None):
                bundle.uninstall()
        except BundleException:
            _logger.exception("%s has not stopped cleanly", name)
        archive = self.archives.pop(name)
        archive.close()
        self._require_imports()
        self.changes.notify_all()
        return archive

    def states(self) -> tuple[BundleState, ...]:
        """Return each bundle with the state of its components."""
        return tuple(
            BundleState(name, archive.manifest.version, self.state(name)) for name, archive in self.archives.items()
        )

    def state(self, name: str) -> str:
        """Return RUNNING if all components of a bundle run, WAITING if one lacks a requirement, or FAILED."""
        states = self._component_states(name)
        classes = (item for item in vars(self._started[name].get_module()).values() if isinstance(item, type))
        module = self.archives[name].manifest.module
        contexts = (vars(cls).get(IPOPO_FACTORY_CONTEXT) for cls in classes if cls.__module__ == module)
        declared = {instance for context in contexts if context for instance in context.get_instances()}
        # A component whose constructor fails has no instance.
        if declared - states.keys() or StoredInstance.ERRONEOUS in states.values():
            return FAILED
        return RUNNING if set(states.values()) <= {StoredInstance.VALID} else WAITING

    def failure_reason(self, name: str) -> str:
        """Return the error of the first component that failed."""
        for instance, state in self._component_states(name).items():
            if state == StoredInstance.ERRONEOUS:
                with use_ipopo(self._context) as ipopo:
                    trace = ipopo.get_instance_details(instance)["error_trace"] or "no reason given"
                return f"component {instance}: {trace.strip().splitlines()[-1]}"
        return "a component could not be created: see the agent's log"

    def _component_states(self, name: str) -> dict[str, int]:
        bundle = self._started[name]
        with use_ipopo(self._context) as ipopo:
            return {
                instance: state
                for instance, factory, state in ipopo.get_instances()
                if ipopo.get_factory_bundle(factory) is bundle
            }

    def _require_imports(self) -> None:
        self._imports.require(name for archive in self.archives.values() for name in archive.manifest.imports)
