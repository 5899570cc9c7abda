"""The bundles that run in this agent's framework: started from their archives and taken out again."""

import asyncio
import importlib
import inspect
import logging
import os
import sys
from dataclasses import dataclass
from types import ModuleType

from pelix.constants import OBJECTCLASS
from pelix.framework import Bundle, BundleContext, BundleException
from pelix.ipopo.constants import IPopoEvent, use_ipopo
from pelix.ipopo.decorators import get_factory_context
from pelix.ipopo.instance import StoredInstance

from demonstrator.agent.archive import Archive, BundleError
from demonstrator.lib.notifier import Notifier
from demonstrator.platform.manifest import BundleState
from demonstrator.platform.spi import Drainable
from demonstrator.remote.contract import name_of
from demonstrator.remote.imports import Imports

RUNNING, WAITING, FAILED = "running", "waiting", "failed"

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Running:
    """A started bundle."""

    archive: Archive
    bundle: Bundle


class Bundles:
    """Starts and stops bundles by name; `changes` tells of every change of their components."""

    def __init__(self, context: BundleContext, imports: Imports) -> None:
        self._context = context
        self._imports = imports
        self._running: dict[str, Running] = {}
        self.changes = Notifier()
        with use_ipopo(context) as ipopo:
            ipopo.add_listener(self)

    def handle_ipopo_event(self, event: IPopoEvent) -> None:
        """Called by iPOPO, in the thread of the event loop."""
        self.changes.tell()

    @property
    def archives(self) -> dict[str, Archive]:
        """What runs, by the bundle's name."""
        return {name: running.archive for name, running in self._running.items()}

    def start(self, archive: Archive) -> None:
        """Import a bundle's code from its archive and start it; whatever its code raises comes out."""
        module = archive.manifest.module
        if module in sys.modules:
            raise BundleError(f"module {module} is there already: a bundle needs one of its own")
        sys.path.insert(0, str(archive.path))
        importlib.invalidate_caches()
        try:
            bundle = self._context.install_bundle(module)
        except BaseException:
            _forget(archive)
            raise
        self._running[archive.manifest.name] = Running(archive, bundle)
        try:
            # The bundle's module is imported by now, and with it the contracts it needs.
            self._imports.want(archive.manifest.imports)
            bundle.start()
        except BaseException:
            self.stop(archive.manifest.name)
            raise
        self.changes.tell()

    async def drain(self, *names: str) -> None:
        """Let the components of these bundles end what they hold, side by side."""
        context, wanted = self._context, name_of(Drainable)
        references = [
            reference
            for name in names
            for reference in self._running[name].bundle.get_registered_services()
            if wanted in reference.get_property(OBJECTCLASS)
        ]
        drains = (context.get_service(reference).drain() for reference in references)
        for outcome in await asyncio.gather(*drains, return_exceptions=True):
            if isinstance(outcome, Exception):
                _logger.error("a bundle could not be drained", exc_info=outcome)

    def stop(self, name: str) -> None:
        """Take a bundle out, with its components, services and modules, so that other code can take its place."""
        running = self._running.pop(name)
        try:
            running.bundle.uninstall()
        except BundleException:
            _logger.exception("%s did not stop as it should", name)
        _forget(running.archive)
        self.changes.tell()

    def states(self) -> tuple[BundleState, ...]:
        """Every bundle with what its components do."""
        return tuple(
            BundleState(name, running.archive.manifest.version, self.state(name))
            for name, running in self._running.items()
        )

    def state(self, name: str) -> str:
        """Whether a bundle's components all run, wait for what they require, or have failed."""
        bundle = self._running[name].bundle
        with use_ipopo(self._context) as ipopo:
            states = {
                instance: state
                for instance, factory, state in ipopo.get_instances()
                if ipopo.get_factory_bundle(factory) is bundle
            }
        # A component whose constructor fails is none at all.
        if _declared(bundle.get_module()) - states.keys() or StoredInstance.ERRONEOUS in states.values():
            return FAILED
        return RUNNING if set(states.values()) <= {StoredInstance.VALID} else WAITING

    def complaint(self, name: str) -> str:
        """Why a bundle does not run, as far as its components tell."""
        bundle = self._running[name].bundle
        with use_ipopo(self._context) as ipopo:
            for instance, factory, state in ipopo.get_instances():
                if ipopo.get_factory_bundle(factory) is bundle and state == StoredInstance.ERRONEOUS:
                    trace = ipopo.get_instance_details(instance)["error_trace"] or "no reason given"
                    return f"component {instance}: {trace.strip().splitlines()[-1]}"
        return "a component could not be made: see the agent's log"


def _declared(module: ModuleType) -> set[str]:
    """The names of the components that a bundle's module says are made at its start."""
    classes = (cls for _, cls in inspect.getmembers(module, inspect.isclass) if cls.__module__ == module.__name__)
    return {name for cls in classes if "__ipopo_factory_context__" in vars(cls) for name in _instances(cls)}


def _instances(cls: type) -> set[str]:
    return set(get_factory_context(cls).get_instances())


def _forget(archive: Archive) -> None:
    """Let nothing of an archive's code be found again: neither its modules nor the way to them."""
    module, path = archive.manifest.module, str(archive.path)
    for name in [name for name in sys.modules if name == module or name.startswith(f"{module}.")]:
        del sys.modules[name]
    sys.path.remove(path)
    for entry in [entry for entry in sys.path_importer_cache if entry == path or entry.startswith(path + os.sep)]:
        del sys.path_importer_cache[entry]
