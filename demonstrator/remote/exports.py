"""The services of this agent that other agents may call, and the HTTP port where they do."""

import logging
from typing import Any

from aiohttp import web
from msgspec import Struct
from msgspec.structs import asdict
from pelix.constants import OBJECTCLASS, SERVICE_ID
from pelix.framework import BundleContext
from pelix.internals.events import ServiceEvent

from demonstrator.lib import codec
from demonstrator.lib.notifier import Notifier
from demonstrator.remote import contracts

IMPORTED = "service.imported"
HEARTBEAT_SECONDS = 3.0

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


class Exports:
    """All services that provide a contract and were registered in this process since this was made."""

    def __init__(self, context: BundleContext, pod: str) -> None:
        self._context = context
        self._pod = pod
        self._services: dict[tuple[int, str], Any] = {}
        self._changes = Notifier()
        context.add_service_listener(self, f"(!({IMPORTED}=*))")

    def service_changed(self, event: ServiceEvent[Any]) -> None:
        """Export or withdraw a service: called by the framework, in the thread of the event loop."""
        reference = event.get_service_reference()
        for name in contracts.declared.keys() & reference.get_property(OBJECTCLASS):
            key = reference.get_property(SERVICE_ID), name
            if event.get_kind() == ServiceEvent.REGISTERED:
                self._services[key] = self._context.get_service(reference)
                _logger.info("exports %s", name)
            elif event.get_kind() == ServiceEvent.UNREGISTERING:
                self._services.pop(key, None)
                self._context.unget_service(reference)
            self._changes.notify_all()

    def listing(self) -> Listing:
        """Return the services that are exported now."""
        services = (Exported(number, name, contracts.version_of(name)) for number, name in sorted(self._services))
        return Listing(self._pod, tuple(services))

    def withdraw(self) -> None:
        """Stop exporting: the agent is about to stop."""
        self._services.clear()
        self._changes.notify_all()

    def make_app(self) -> web.Application:
        """Make the HTTP application of the port for other agents: a stream of listings, and calls of services."""
        app = web.Application(client_max_size=2**20)
        app.router.add_get("/services", self._watch)
        app.router.add_post("/services/{number:[0-9]{1,9}}/{contract}/{method}", self._call)
        return app

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        """Send the listing as a line of JSON now and at each change, and empty lines in between."""
        # Silence for longer than HEARTBEAT_SECONDS means that this agent, its node or the network is gone.
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        try:
            while True:
                listing = self.listing()
                await response.write(codec.encode(listing) + b"\n")
                # B023: the lambda is called in this round of the loop alone.
                while not await self._changes.wait_for(lambda: self.listing() != listing, HEARTBEAT_SECONDS):  # noqa: B023
                    await response.write(b"\n")
        except ConnectionError:
            return response

    async def _call(self, request: web.Request) -> web.Response:
        """Call a method of an exported service with the members of a JSON object."""
        name = request.match_info["contract"]
        service = self._services.get((int(request.match_info["number"]), name))
        methods = {} if service is None else contracts.methods_of(contracts.find(name))
        if not (method := methods.get(request.match_info["method"])):
            return web.json_response({"error": "no such service or method"}, status=404)
        body = await request.read()
        try:
            arguments = codec.decode(method.arguments, body, "arguments")
            result = await getattr(service, method.name)(**asdict(arguments))
        except ValueError as error:
            return web.json_response({"error": str(error)}, status=400)
        except contracts.RemoteError as error:
            return web.json_response({"error": str(error)}, status=503)
        except Exception:
            _logger.exception("%s.%s failed", name, method.name)
            return web.json_response({"error": "the service failed"}, status=500)
        return web.Response(body=codec.encode({"result": result}), content_type="application/json")
