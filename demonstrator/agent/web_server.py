"""The HTTP port for pages: those that bundles provide, the exported services and the agent's readiness."""

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from pelix.framework import BundleContext
from pelix.internals.registry import ServiceReference

from demonstrator.lib import codec
from demonstrator.platform.spi import WebEndpoints, service_name
from demonstrator.remote.exports import Exports, ServiceListener

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class WebServer:
    """Passes requests to the bundles' handlers, which are added and removed with their bundles."""

    def __init__(self, context: BundleContext, exports: Exports, ready: Callable[[], bool]) -> None:
        self._exports = exports
        self._ready = ready
        self._handlers: dict[tuple[str, str], _Handler] = {
            ("GET", "/services"): self._services,
            ("GET", "/ready"): self._readiness,
        }
        self._provided: dict[int, list[tuple[str, str]]] = {}
        ServiceListener(context, f"(objectClass={service_name(WebEndpoints)})", self._added, self._removed)

    def make_app(self) -> web.Application:
        """Make the HTTP application, with one route: aiohttp's own router cannot change later."""
        app = web.Application(client_max_size=2**20)
        app.router.add_route("*", "/{path:.*}", self._dispatch)
        return app

    async def _dispatch(self, request: web.Request) -> web.StreamResponse:
        method = "GET" if request.method == "HEAD" else request.method
        if handler := self._handlers.get((method, request.path)):
            return await handler(request)
        allowed = {method for method, path in self._handlers if path == request.path}
        if allowed:
            raise web.HTTPMethodNotAllowed(request.method, allowed)
        raise web.HTTPNotFound

    async def _services(self, _request: web.Request) -> web.Response:
        return web.Response(body=codec.encode(self._exports.listing()), content_type="application/json")

    async def _readiness(self, _request: web.Request) -> web.Response:
        ready = self._ready()
        return web.Response(status=200 if ready else 503, text="ready\n" if ready else "not yet\n")

    def _added(self, reference: ServiceReference[Any], service: WebEndpoints) -> None:
        routes = {(route.method, route.path): route.handler for route in service.routes()}
        self._handlers.update(routes)
        self._provided[reference.get_property("service.id")] = list(routes)

    def _removed(self, reference: ServiceReference[Any]) -> None:
        for route in self._provided.pop(reference.get_property("service.id"), ()):
            self._handlers.pop(route, None)
