"""The HTTP port for other agents: the list of exported services as a stream, and calls of them."""

import logging

from aiohttp import web
from msgspec.structs import asdict

from demonstrator.lib import codec
from demonstrator.remote.contracts import RemoteError, find, methods_of
from demonstrator.remote.exports import Exports

HEARTBEAT_SECONDS = 3.0
BODY_LIMIT = 2**20

_logger = logging.getLogger(__name__)


def make_app(exports: Exports) -> web.Application:
    """Make the HTTP application of the port for other agents."""
    calls = _Calls(exports)
    app = web.Application(client_max_size=BODY_LIMIT)
    app.add_routes(
        [
            web.get("/services", calls.watch),
            web.post("/services/{number:[0-9]{1,9}}/{contract}/{method}", calls.call),
        ]
    )
    return app


class _Calls:
    def __init__(self, exports: Exports) -> None:
        self._exports = exports

    async def watch(self, request: web.Request) -> web.StreamResponse:
        """Send the listing as a line of JSON now and at each change, and empty lines in between.

        A line comes at least every HEARTBEAT_SECONDS, so a longer silence means that this agent, its node or the
        network is gone.
        """
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        try:
            while True:
                listing = self._exports.listing()
                await response.write(codec.encode(listing) + b"\n")
                while not await self._exports.wait_for_change(listing, HEARTBEAT_SECONDS):
                    await response.write(b"\n")
        except ConnectionError:
            return response

    async def call(self, request: web.Request) -> web.Response:
        """Call a method of an exported service with the members of a JSON object."""
        name = request.match_info["contract"]
        service = self._exports.find(int(request.match_info["number"]), name)
        cls = find(name)
        method = methods_of(cls).get(request.match_info["method"]) if cls else None
        if service is None or method is None:
            return _error(404, "no such service or method")
        try:
            arguments = codec.decode(method.arguments, await request.read(), "arguments")
        except codec.DecodeError as error:
            return _error(400, str(error))
        try:
            result = await getattr(service, method.name)(**asdict(arguments))
        except ValueError as error:
            return _error(400, str(error))
        except RemoteError as error:
            return _error(503, str(error))
        except Exception:
            _logger.exception("%s.%s failed", name, method.name)
            return _error(500, "the service failed")
        return web.Response(body=codec.encode({"result": result}), content_type="application/json")


def _error(status: int, message: str) -> web.Response:
    return web.Response(status=status, body=codec.encode({"error": message}), content_type="application/json")
