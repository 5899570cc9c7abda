"""The page's files and its stream of overviews."""

import pkgutil
from collections.abc import Iterable

from aiohttp import web

from demonstrator.contracts import wire
from demonstrator.contracts.overview import Coordinator

_FILES = {
    "/": ("index.html", "text/html"),
    "/viewer/style.css": ("style.css", "text/css"),
    "/viewer/viewer.js": ("viewer.js", "text/javascript"),
    "/viewer/controls.js": ("controls.js", "text/javascript"),
    "/viewer/graphs.js": ("graphs.js", "text/javascript"),
    "/viewer/icon.svg": ("icon.svg", "image/svg+xml"),
    "/viewer/uplot.js": ("uplot/uPlot.iife.min.js", "text/javascript"),
    "/viewer/uplot.css": ("uplot/uPlot.min.css", "text/css"),
    "/viewer/uplot-licence.txt": ("uplot/LICENSE", "text/plain"),
}

_HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

# Each reader keeps a connection for as long as the page is open.
_READERS = 100


class Page:
    """Everything a browser asks for."""

    def __init__(self, coordinator: Coordinator) -> None:
        self._coordinator = coordinator
        self._readers = 0

    def routes(self) -> Iterable[web.RouteDef]:
        """Every path of the page."""
        return [web.get("/viewer/events", self._events)] + [web.get(path, self._file) for path in _FILES]

    async def _file(self, request: web.Request) -> web.Response:
        name, content_type = _FILES[request.path]
        # From the bundle's archive: it is never unpacked.
        body = pkgutil.get_data(__package__, f"static/{name}")
        return web.Response(body=body, content_type=content_type, charset="utf-8", headers=_HEADERS)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events: `history` once, then an `overview` every second."""
        if self._readers >= _READERS:
            raise web.HTTPServiceUnavailable(text="too many readers\n")
        self._readers += 1
        try:
            response = web.StreamResponse(headers=_HEADERS | {"Content-Type": "text/event-stream; charset=utf-8"})
            await response.prepare(request)
            await response.write(_event("history", self._coordinator.history()))
            while True:
                await response.write(_event("overview", await self._coordinator.next()))
        except ConnectionError:
            return response
        finally:
            self._readers -= 1


def _event(name: str, data: object) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), wire.dumps(data))
