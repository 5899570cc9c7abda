"""The viewer as a bundle: live pages of what the coordinator publishes."""

import asyncio
from importlib.resources import files

from aiohttp import web
from jinja2 import Environment, FunctionLoader, StrictUndefined
from pelix.ipopo.decorators import ComponentFactory, Instantiate, Invalidate, Provides, Requires, Validate

from demonstrator.lib import codec
from demonstrator.lib.feed import FeedClosedError
from demonstrator.model import overview
from demonstrator.platform import WebEndpoints

# The pages' titles, in the order of the navigation.
PAGES = {"/": "Overview", "/dashboard": "Dashboard", "/stats": "Stats", "/events": "Events"}

_TYPES = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml", "txt": "text/plain"}

_HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

# Each reader keeps a connection for as long as the page is open.
_MAX_READERS = 100


@ComponentFactory("inaetics.viewer")
@Provides(WebEndpoints)
@Requires("_coordinator", overview.Coordinator)
@Instantiate("viewer")
class ViewerComponent:
    """Serves the pages, their files and their stream while there is a coordinator."""

    _coordinator: overview.Coordinator

    def __init__(self) -> None:
        self._streams: set[asyncio.Task[object]] = set()

    @Validate
    def start(self, _context: object) -> None:
        """Read everything that a browser requests."""
        self._files = render_pages() | static_files()

    @Invalidate
    def stop(self, _context: object) -> None:
        """End the streams of the open pages, so that browsers connect again."""
        for task in self._streams:
            task.cancel()

    def routes(self) -> list[web.RouteDef]:
        """Return every path of the pages."""
        return [web.get("/viewer/events", self._stream), *(web.get(path, self._file) for path in self._files)]

    async def _file(self, request: web.Request) -> web.Response:
        content_type = "text/html" if "." not in request.path else _TYPES[request.path.rpartition(".")[2]]
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
            events = list(self._coordinator.events)
            history = [past.now for past in self._coordinator.history]
            await response.write(_event("history", history) + _event("log", events))
            last = events[-1].number if events else 0
            while True:
                message = _event("overview", await self._coordinator.feed.next())
                if events := [event for event in self._coordinator.events if event.number > last]:
                    last = events[-1].number
                    message += _event("events", events)
                await response.write(message)
        except (ConnectionError, FeedClosedError):
            return response
        finally:
            self._streams.discard(task)


def render_pages() -> dict[str, bytes]:
    """Return the pages as HTML, by path."""
    # From the bundle's archive, which is never unpacked.
    loader = FunctionLoader(lambda name: files(__package__).joinpath("templates", name).read_text("utf-8"))
    templates = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, loader=loader)
    templates.globals.update(pages=PAGES, model=overview)
    return {
        path: templates.get_template(f"{title.lower()}.html").render(path=path, title=title).encode()
        for path, title in PAGES.items()
    }


def static_files() -> dict[str, bytes]:
    """Return the contents of the bundle's files for browsers, by path."""
    static = files(__package__) / "static"
    found = (file for folder in (static, static / "uplot") for file in folder.iterdir() if file.is_file())
    return {f"/viewer/{file.name}": file.read_bytes() for file in found}


def _event(name: str, data: object) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), codec.encode(data))
