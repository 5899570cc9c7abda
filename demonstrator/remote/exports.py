"""The services of this agent that others may call."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from msgspec import Struct
from pelix.framework import BundleContext
from pelix.internals.events import ServiceEvent
from pelix.internals.registry import ServiceReference

from demonstrator.remote import contract

IMPORTED = "service.imported"

_logger = logging.getLogger(__name__)


class Exported(Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of the list that an agent shows to others."""

    id: int
    contract: str
    version: str


class Listing(Struct, frozen=True, forbid_unknown_fields=True):
    """What an agent exports."""

    pod: str
    services: tuple[Exported, ...]


class ServiceFollower:
    """Tells of services of this process that come and go, those already there first."""

    def __init__(
        self,
        context: BundleContext,
        ldap_filter: str | None,
        arrived: Callable[[ServiceReference[Any], Any], None],
        left: Callable[[ServiceReference[Any]], None],
    ) -> None:
        self._context = context
        self._arrived = arrived
        self._left = left
        context.add_service_listener(self, ldap_filter)
        present: list[ServiceReference[Any]]
        present = context.get_all_service_references(None, ldap_filter) or []
        for reference in present:
            arrived(reference, context.get_service(reference))

    def service_changed(self, event: ServiceEvent[Any]) -> None:
        """Called by the framework, in the thread of the event loop."""
        reference: ServiceReference[Any] = event.get_service_reference()
        if event.get_kind() == ServiceEvent.REGISTERED:
            self._arrived(reference, self._context.get_service(reference))
        elif event.get_kind() == ServiceEvent.UNREGISTERING:
            self._left(reference)
            self._context.unget_service(reference)


class Exports:
    """Every local service whose specification is a contract, by service id."""

    def __init__(self, context: BundleContext, pod: str) -> None:
        self._pod = pod
        self._services: dict[tuple[int, str], Any] = {}
        self.revision = 0
        self._changed = asyncio.Event()
        ServiceFollower(context, f"(!({IMPORTED}=*))", self._arrived, self._left)

    def listing(self) -> Listing:
        """What is exported now."""
        return Listing(
            self._pod,
            tuple(
                Exported(number, name, contract.version_of(cls))
                for number, name in sorted(self._services)
                if (cls := contract.find(name))
            ),
        )

    def find(self, number: int, name: str) -> Any | None:
        """The service of that id, if it provides that contract."""
        return self._services.get((number, name))

    async def changed(self, since: int, patience: float) -> bool:
        """Wait until the listing's revision is not `since`; False when that takes too long."""
        if self.revision != since:
            return True
        try:
            async with asyncio.timeout(patience):
                await self._changed.wait()
        except TimeoutError:
            return False
        return True

    def withdraw(self) -> None:
        """Export nothing any more: the agent is about to stop."""
        self._services.clear()
        self._tell()

    def _arrived(self, reference: ServiceReference[Any], service: Any) -> None:
        for name in reference.get_property("objectClass"):
            if contract.find(name):
                self._services[_number(reference), name] = service
                _logger.info("exports %s", name)
        self._tell()

    def _left(self, reference: ServiceReference[Any]) -> None:
        for name in reference.get_property("objectClass"):
            self._services.pop((_number(reference), name), None)
        self._tell()

    def _tell(self) -> None:
        self.revision += 1
        self._changed.set()
        self._changed = asyncio.Event()


def _number(reference: ServiceReference[Any]) -> int:
    return int(reference.get_property("service.id"))
