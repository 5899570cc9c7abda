"""The services of this agent that other agents may call."""

import logging
from collections.abc import Callable
from typing import Any

from msgspec import Struct
from pelix.framework import BundleContext
from pelix.internals.events import ServiceEvent
from pelix.internals.registry import ServiceReference

from demonstrator.lib.notifier import Notifier
from demonstrator.remote import contracts

IMPORTED = "service.imported"

_logger = logging.getLogger(__name__)


class Exported(Struct, frozen=True, forbid_unknown_fields=True):
    """An exported service."""

    id: int
    contract: str
    version: str


class Listing(Struct, frozen=True, forbid_unknown_fields=True):
    """The services that an agent exports."""

    pod: str
    services: tuple[Exported, ...]


class ServiceListener:
    """Calls back for each service in this process that is registered or unregistered, existing ones first."""

    def __init__(
        self,
        context: BundleContext,
        ldap_filter: str | None,
        added: Callable[[ServiceReference[Any], Any], None],
        removed: Callable[[ServiceReference[Any]], None],
    ) -> None:
        self._context = context
        self._added = added
        self._removed = removed
        context.add_service_listener(self, ldap_filter)
        present: list[ServiceReference[Any]]
        present = context.get_all_service_references(None, ldap_filter) or []
        for reference in present:
            added(reference, context.get_service(reference))

    def service_changed(self, event: ServiceEvent[Any]) -> None:
        """Called by the framework, in the thread of the event loop."""
        reference: ServiceReference[Any] = event.get_service_reference()
        if event.get_kind() == ServiceEvent.REGISTERED:
            self._added(reference, self._context.get_service(reference))
        elif event.get_kind() == ServiceEvent.UNREGISTERING:
            self._removed(reference)
            self._context.unget_service(reference)


class Exports:
    """All local services that provide a contract, by service id."""

    def __init__(self, context: BundleContext, pod: str) -> None:
        self._pod = pod
        self._services: dict[tuple[int, str], Any] = {}
        self._changes = Notifier()
        ServiceListener(context, f"(!({IMPORTED}=*))", self._added, self._removed)

    def listing(self) -> Listing:
        """Return the services that are exported now."""
        return Listing(
            self._pod,
            tuple(
                Exported(number, name, contracts.version_of(cls))
                for number, name in sorted(self._services)
                if (cls := contracts.find(name))
            ),
        )

    def find(self, number: int, name: str) -> Any | None:
        """Return the service of that id, if it provides that contract."""
        return self._services.get((number, name))

    async def wait_for_change(self, listing: Listing, seconds: float) -> bool:
        """Wait until another listing is exported; return False after so many seconds."""
        return await self._changes.wait_for(lambda: self.listing() != listing, seconds)

    def withdraw(self) -> None:
        """Stop exporting: the agent is about to stop."""
        self._services.clear()
        self._changes.notify_all()

    def _added(self, reference: ServiceReference[Any], service: Any) -> None:
        for name in reference.get_property("objectClass"):
            if contracts.find(name):
                self._services[_number(reference), name] = service
                _logger.info("exports %s", name)
        self._changes.notify_all()

    def _removed(self, reference: ServiceReference[Any]) -> None:
        for name in reference.get_property("objectClass"):
            self._services.pop((_number(reference), name), None)
        self._changes.notify_all()


def _number(reference: ServiceReference[Any]) -> int:
    return int(reference.get_property("service.id"))
