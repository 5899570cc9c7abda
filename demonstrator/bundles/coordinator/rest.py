"""The REST interface below /coordinator/: what is, for everybody, and changes from the page itself."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from demonstrator.bundles.coordinator.conductor import Conductor, NotActingError
from demonstrator.bundles.coordinator.gatherer import Gatherer
from demonstrator.contracts import wire
from demonstrator.contracts.platform import KubernetesError, Pod

# Far more than any change needs.
BODY_LIMIT = 1024

_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Producers:
    """The body of a change of /coordinator/systemStats."""

    producers: int


@dataclass(frozen=True, slots=True)
class Preference:
    """The body of a change of /coordinator/utilisation."""

    preferred_utilisation: int


class RefusedError(Exception):
    """A request that is not carried out, with the status and the reason to answer."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Rest:
    """Answers everything below /coordinator/."""

    def __init__(self, gatherer: Gatherer, conductor: Conductor, pods: Callable[[], tuple[Pod, ...]]) -> None:
        self._gatherer = gatherer
        self._conductor = conductor
        self._pods = pods

    def routes(self) -> Iterable[web.RouteDef]:
        """Every path, for reading and for changing."""
        changes = {
            "/coordinator/systemStats": self._change(Producers, self._scale),
            "/coordinator/utilisation": self._change(Preference, self._prefer),
        }
        return [
            web.get("/coordinator/statistics", self._statistics),
            web.get("/coordinator/systemStats", self._system),
            web.get("/coordinator/utilisation", self._utilisation),
            web.get("/coordinator/clusterInfo", self._cluster),
            *(web.post(path, handler) for path, handler in changes.items()),
            *(web.put(path, handler) for path, handler in changes.items()),
        ]

    async def _statistics(self, request: web.Request) -> web.Response:
        return _json(await self._gatherer.next())

    async def _system(self, request: web.Request) -> web.Response:
        return _json(self._conductor.scaling())

    async def _utilisation(self, request: web.Request) -> web.Response:
        history = self._gatherer.history()
        return _json(
            {
                "utilisation": history[-1].utilisation if history else None,
                "preferred_utilisation": self._conductor.scaling().preferred_utilisation,
                "history": [{"at": point.at, "utilisation": point.utilisation} for point in history],
            }
        )

    async def _cluster(self, request: web.Request) -> web.Response:
        nodes: dict[str, list[dict[str, Any]]] = {}
        for pod in self._pods():
            entry = {"name": pod.name, "phase": pod.phase, "ready": pod.ready, "address": pod.address}
            nodes.setdefault(pod.node, []).append(entry)
        return _json({"nodes": [{"name": name, "pods": nodes[name]} for name in sorted(nodes)]})

    async def _scale(self, body: Producers) -> None:
        await self._conductor.scale_producers(body.producers)

    async def _prefer(self, body: Preference) -> None:
        await self._conductor.prefer(body.preferred_utilisation)

    def _change(
        self, kind: type, carry_out: Callable[[Any], Awaitable[None]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        """A handler that checks a request, carries it out and answers what is asked for now."""

        async def handle(request: web.Request) -> web.Response:
            try:
                check_origin(request)
                body = wire.decode(kind, wire.loads(await _read(request)), "body")
                await carry_out(body)
            except RefusedError as error:
                return _json({"error": str(error)}, error.status)
            except ValueError as error:
                return _json({"error": str(error)}, 400)
            except (NotActingError, KubernetesError) as error:
                return _json({"error": f"not now, try again: {error}"}, 503)
            return _json(self._conductor.scaling())

        return handle


def check_origin(request: web.Request) -> None:
    """Refuse what a page of another site makes a browser send; a program names no site at all."""
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    origin = request.headers.get("Origin")
    if site != "same-origin" or origin not in (None, f"{request.scheme}://{request.host}"):
        raise RefusedError(403, "changes are made from the demonstrator's own page")


async def _read(request: web.Request) -> bytes:
    if request.content_type != _JSON:
        raise RefusedError(415, f"the body has to be {_JSON}")
    body = b""
    async for chunk in request.content.iter_chunked(BODY_LIMIT):
        body += chunk
        if len(body) > BODY_LIMIT:
            raise RefusedError(413, f"a body has at most {BODY_LIMIT} bytes")
    return body


def _json(data: object, status: int = 200) -> web.Response:
    return web.Response(status=status, body=wire.dumps(data), content_type=_JSON, headers={"Cache-Control": "no-store"})
