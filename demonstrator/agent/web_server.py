"""The HTTP port for pages: those that bundles provide, the exported services and the agent's readiness."""

from collections import ChainMap
from collections.abc import Awaitable, Callable

from aiohttp import web
from pelix.framework import BundleContext
from pelix.internals.events import ServiceEvent

from demonstrator.lib import codec
from demonstrator.platform import WebEndpoints
from demonstrator.remote.exports import Exports

# By method and path.
_Handlers = dict[tuple[str, str], Callable[[web.Request], Awaitable[web.StreamResponse]]]


class WebServer:
    """Passes requests to the bundles' handlers, which come and go with their bundles."""

    def __init__(self, context: BundleContext, exports: Exports, ready: Callable[[], bool]) -> None:
        self._context = context
        self._exports = exports
        self._ready = ready
        own: _Handlers = {("GET", "/services"): self._services, ("GET", "/ready"): self._readiness}
        self._handlers: dict[object, _Handlers] = {self: own}
        context.add_service_listener(self, specification=WebEndpoints)

    def service_changed(self, event: ServiceEvent[WebEndpoints]) -> None:
        """Add or remove a service's handlers: called by the framework, in the thread of the event loop."""
        reference = event.get_service_reference()
        if event.get_kind() == ServiceEvent.REGISTERED:
            routes = self._context.get_service(reference).routes()
            self._handlers[reference] = {(route.method, route.path): route.handler for route in routes}
        elif event.get_kind() == ServiceEvent.UNREGISTERING:
            self._handlers.pop(reference, None)
            self._context.unget_service(reference)

    def make_app(self) -> web.Application:
        """Make the HTTP application, with one route: aiohttp's own router cannot change later."""
        app = web.Application(client_max_size=2**20)
        app.router.add_route("*", "/{path:.*}", self._dispatch)
        return app

    async def _dispatch(self, request: web.Request) -> web.StreamResponse:
        handlers = ChainMap(*self._handlers.values())
        method = "GET" if request.method == "HEAD" else request.method
        if handler := handlers.get((method, request.path)):
            return await handler(request)
        if allowed := {method for method, path in handlers if path == request.path}:
            raise web.HTTPMethodNotAllowed(request.method, allowed)
        raise web.HTTPNotFound

    async def _services(self, _request: web.Request) -> web.Response:
        return web.Response(body=codec.encode(self._exports.listing()), content_type="application/json")

    async def _readiness(self, _request: web.Request) -> web.Response:
        return web.Response(text="ready\n") if self._ready() else web.Response(text="not yet\n", status=503)
