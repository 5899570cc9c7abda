"""The pages, their files, and their stream of overviews."""

import asyncio
from collections.abc import Iterable, Mapping
from importlib.resources import files

from aiohttp import web
from jinja2 import Environment, FunctionLoader, StrictUndefined

from demonstrator.lib import codec
from demonstrator.lib.feed import FeedClosedError
from demonstrator.model.overview import (
    HISTORY_SECONDS,
    MAX_EVENTS,
    MAX_PRODUCERS,
    MIN_PRODUCERS,
    UTILISATION_STEP,
    Coordinator,
    Event,
)

# The pages' titles, in the order of the navigation.
PAGES = {"/": "Overview", "/dashboard": "Dashboard", "/stats": "Stats", "/events": "Events"}

_UPLOT = {"uPlot.iife.min.js": "uplot.js", "uPlot.min.css": "uplot.css", "LICENSE": "uplot-licence.txt"}
_TYPES = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml", "txt": "text/plain"}

_HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

# Each reader keeps a connection for as long as the page is open.
_MAX_READERS = 100


class Pages:
    """Everything that a browser requests."""

    def __init__(self, coordinator: Coordinator) -> None:
        self._coordinator = coordinator
        self._streams: set[asyncio.Task[object]] = set()
        self._pages = render_pages()
        self._files = static_files()

    def routes(self) -> Iterable[web.RouteDef]:
        """Return every path of the pages."""
        return [
            web.get("/viewer/events", self._stream),
            *(web.get(path, self._page) for path in self._pages),
            *(web.get(path, self._file) for path in self._files),
        ]

    def close(self) -> None:
        """End all streams, so that browsers connect again."""
        for task in self._streams:
            task.cancel()

    async def _page(self, request: web.Request) -> web.Response:
        return web.Response(text=self._pages[request.path], content_type="text/html", headers=_HEADERS)

    async def _file(self, request: web.Request) -> web.Response:
        content_type = _TYPES[request.path.rpartition(".")[2]]
        body = self._files[request.path]
        return web.Response(body=body, content_type=content_type, charset="utf-8", headers=_HEADERS)

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        """Send server-sent events: `history` and `log` once, then `overview` every second and `events` as they come."""
        if len(self._streams) >= _MAX_READERS:
            raise web.HTTPServiceUnavailable(text="too many readers\n")
        task = asyncio.current_task()
        assert task
        self._streams.add(task)
        response = web.StreamResponse(headers=_HEADERS | {"Content-Type": "text/event-stream; charset=utf-8"})
        try:
            await response.prepare(request)
            events = self._events_after(0)
            await response.write(
                _event("history", [overview.now for overview in self._coordinator.history]) + _event("log", events)
            )
            last = events[-1].number if events else 0
            while True:
                await response.write(_event("overview", await self._coordinator.feed.next()))
                if events := self._events_after(last):
                    last = events[-1].number
                    await response.write(_event("events", events))
        except (ConnectionError, FeedClosedError):
            return response
        finally:
            self._streams.discard(task)

    def _events_after(self, number: int) -> list[Event]:
        return [event for event in self._coordinator.events if event.number > number]


def render_pages() -> Mapping[str, str]:
    """Return the pages as HTML, by path."""
    templates = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, loader=FunctionLoader(_template)
    )
    constants = {
        "pages": PAGES,
        "history_seconds": HISTORY_SECONDS,
        "max_events": MAX_EVENTS,
        "min_producers": MIN_PRODUCERS,
        "max_producers": MAX_PRODUCERS,
        "utilisation_step": UTILISATION_STEP,
    }
    return {
        path: templates.get_template(f"{title.lower()}.html").render(constants, path=path, title=title)
        for path, title in PAGES.items()
    }


def static_files() -> Mapping[str, bytes]:
    """Return the contents of the bundle's files for browsers, by path."""
    # From the bundle's archive, which is never unpacked.
    static = files(__package__).joinpath("static")
    own = {file.name: file for file in static.iterdir() if file.is_file()}
    uplot = {name: static.joinpath("uplot", original) for original, name in _UPLOT.items()}
    return {f"/viewer/{name}": file.read_bytes() for name, file in (own | uplot).items()}


def _template(name: str) -> str:
    return files(__package__).joinpath("templates", name).read_text("utf-8")


def _event(name: str, data: object) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), codec.encode(data))
