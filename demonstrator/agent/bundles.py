"""The bundles in this agent's framework: started from their archives, and stopped."""

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
from demonstrator.platform.spi import Drainable, service_name
from demonstrator.remote.imports import Imports

RUNNING, WAITING, FAILED = "running", "waiting", "failed"

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Running:
    """A started bundle."""

    archive: Archive
    bundle: Bundle


class Bundles:
    """Starts and stops bundles by name; `changes` notifies of every change of their components."""

    def __init__(self, context: BundleContext, imports: Imports) -> None:
        self._context = context
        self._imports = imports
        self._running: dict[str, Running] = {}
        self.changes = Notifier()
        with use_ipopo(context) as ipopo:
            ipopo.add_listener(self)

    def handle_ipopo_event(self, _event: IPopoEvent) -> None:
        """Called by iPOPO, in the event loop's thread."""
        self.changes.notify_all()

    @property
    def archives(self) -> dict[str, Archive]:
        """The archives of the running bundles, by name."""
        return {name: running.archive for name, running in self._running.items()}

    def start(self, archive: Archive) -> None:
        """Import a bundle's code from its archive and start it.

        Raises:
            BundleError: its module exists already.
            BaseException: of any kind, from the bundle's code.
        """
        module = archive.manifest.module
        if module in sys.modules:
            raise BundleError(f"module {module} exists already: a bundle needs one of its own")
        sys.path.insert(0, str(archive.path))
        importlib.invalidate_caches()
        try:
            bundle = self._context.install_bundle(module)
        except BaseException:
            _unload_modules(archive)
            raise
        self._running[archive.manifest.name] = Running(archive, bundle)
        try:
            # The bundle's module is imported by now, and has declared the contracts that it needs.
            self._require_imports()
            bundle.start()
        except BaseException:
            self.stop(archive.manifest.name)
            raise
        self.changes.notify_all()

    async def drain(self, *names: str) -> None:
        """Let the components of these bundles hand on what they hold, all at the same time."""
        context, drainable = self._context, service_name(Drainable)
        references = [
            reference
            for name in names
            for reference in self._running[name].bundle.get_registered_services()
            if drainable in reference.get_property(OBJECTCLASS)
        ]
        drains = (context.get_service(reference).drain() for reference in references)
        for outcome in await asyncio.gather(*drains, return_exceptions=True):
            if isinstance(outcome, Exception):
                _logger.error("a bundle could not be drained", exc_info=outcome)

    def stop(self, name: str) -> None:
        """Uninstall a bundle with its components, services and modules, so that another version can be started."""
        running = self._running.pop(name)
        try:
            running.bundle.uninstall()
        except BundleException:
            _logger.exception("%s has not stopped cleanly", name)
        _unload_modules(running.archive)
        self._require_imports()
        self.changes.notify_all()

    def states(self) -> tuple[BundleState, ...]:
        """Return each bundle with the state of its components."""
        return tuple(
            BundleState(name, running.archive.manifest.version, self.state(name))
            for name, running in self._running.items()
        )

    def state(self, name: str) -> str:
        """Return RUNNING if all components of a bundle run, WAITING if one lacks a requirement, or FAILED."""
        bundle = self._running[name].bundle
        with use_ipopo(self._context) as ipopo:
            states = {
                instance: state
                for instance, factory, state in ipopo.get_instances()
                if ipopo.get_factory_bundle(factory) is bundle
            }
        # A component whose constructor fails has no instance.
        if _declared_components(bundle.get_module()) - states.keys() or StoredInstance.ERRONEOUS in states.values():
            return FAILED
        return RUNNING if set(states.values()) <= {StoredInstance.VALID} else WAITING

    def _require_imports(self) -> None:
        self._imports.require(name for archive in self.archives.values() for name in archive.manifest.imports)

    def failure_reason(self, name: str) -> str:
        """Return the error of the first component that failed."""
        bundle = self._running[name].bundle
        with use_ipopo(self._context) as ipopo:
            for instance, factory, state in ipopo.get_instances():
                if ipopo.get_factory_bundle(factory) is bundle and state == StoredInstance.ERRONEOUS:
                    trace = ipopo.get_instance_details(instance)["error_trace"] or "no reason given"
                    return f"component {instance}: {trace.strip().splitlines()[-1]}"
        return "a component could not be created: see the agent's log"


def _declared_components(module: ModuleType) -> set[str]:
    """Return the names of the components that a bundle's module instantiates at its start."""
    classes = (cls for _, cls in inspect.getmembers(module, inspect.isclass) if cls.__module__ == module.__name__)
    return {name for cls in classes if "__ipopo_factory_context__" in vars(cls) for name in _instances(cls)}


def _instances(cls: type) -> set[str]:
    return set(get_factory_context(cls).get_instances())


def _unload_modules(archive: Archive) -> None:
    """Remove an archive's modules and its entries in Python's search path, so that none of its code is found again."""
    module, path = archive.manifest.module, str(archive.path)
    for name in [name for name in sys.modules if name == module or name.startswith(f"{module}.")]:
        del sys.modules[name]
    sys.path.remove(path)
    for entry in [entry for entry in sys.path_importer_cache if entry == path or entry.startswith(path + os.sep)]:
        del sys.path_importer_cache[entry]
