"""The pages' files and their stream of overviews."""

import pkgutil
import re
from collections.abc import Iterable

from aiohttp import web

from demonstrator.lib import codec
from demonstrator.model.overview import Coordinator

# What each page is called, in the order of the navigation.
PAGES = {"/": "Overview", "/dashboard": "Dashboard", "/stats": "Stats", "/events": "Events"}

_SCRIPTS = (
    "accounting",
    "cluster",
    "controls",
    "dashboard",
    "events",
    "figures",
    "flow",
    "graphs",
    "log",
    "overview",
    "plot",
    "stats",
    "stream",
    "text",
)
_FILES = {
    "/viewer/style.css": ("style.css", "text/css"),
    "/viewer/icon.svg": ("icon.svg", "image/svg+xml"),
    "/viewer/uplot.js": ("uplot/uPlot.iife.min.js", "text/javascript"),
    "/viewer/uplot.css": ("uplot/uPlot.min.css", "text/css"),
    "/viewer/uplot-licence.txt": ("uplot/LICENSE", "text/plain"),
    **{f"/viewer/{name}.js": (f"{name}.js", "text/javascript") for name in _SCRIPTS},
}

_HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_INCLUDE = re.compile(r"<!-- include (\w+) -->\n")
# Each reader keeps a connection for as long as the page is open.
_READERS = 100


class Page:
    """Everything a browser asks for."""

    def __init__(self, coordinator: Coordinator) -> None:
        self._coordinator = coordinator
        self._readers = 0
        self._pages = {path: compose(path) for path in PAGES}

    def routes(self) -> Iterable[web.RouteDef]:
        """Every path of the pages."""
        return [
            web.get("/viewer/events", self._events),
            *(web.get(path, self._page) for path in PAGES),
            *(web.get(path, self._file) for path in _FILES),
        ]

    async def _page(self, request: web.Request) -> web.Response:
        return web.Response(text=self._pages[request.path], content_type="text/html", headers=_HEADERS)

    async def _file(self, request: web.Request) -> web.Response:
        name, content_type = _FILES[request.path]
        return web.Response(body=_static(name), content_type=content_type, charset="utf-8", headers=_HEADERS)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events: `history` and `log` once, then `overview` every second and `events` as they come."""
        if self._readers >= _READERS:
            raise web.HTTPServiceUnavailable(text="too many readers\n")
        self._readers += 1
        try:
            response = web.StreamResponse(headers=_HEADERS | {"Content-Type": "text/event-stream; charset=utf-8"})
            await response.prepare(request)
            log = self._coordinator.events(0)
            await response.write(_event("history", self._coordinator.history()) + _event("log", log))
            while True:
                await response.write(_event("overview", await self._coordinator.next()))
                if newer := self._coordinator.events(log[-1].number if log else 0):
                    log = newer
                    await response.write(_event("events", newer))
        except ConnectionError:
            return response
        finally:
            self._readers -= 1


def compose(path: str) -> str:
    """A page: what is its own, within what all pages share."""
    name = PAGES[path]
    links = (
        f'<li><a href="{to}"{" aria-current=page" if to == path else ""}>{text}</a></li>' for to, text in PAGES.items()
    )
    page = _part("layout")
    for mark, text in {"name": name, "script": name.lower(), "links": "".join(links)}.items():
        page = page.replace(f"{{{{{mark}}}}}", text)
    page = page.replace("<!-- page -->\n", _part(name.lower()))
    return _INCLUDE.sub(lambda match: _part(match[1]), page)


def _part(name: str) -> str:
    return _static(f"{name}.html").decode()


def _static(name: str) -> bytes:
    """A file of the bundle, from its archive: it is never unpacked."""
    content = pkgutil.get_data(__package__, f"static/{name}")
    if content is None:
        raise FileNotFoundError(name)
    return content


def _event(name: str, data: object) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), codec.encode(data))
