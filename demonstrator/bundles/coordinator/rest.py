"""The REST interface below /coordinator/ and /metrics: open for reading, guarded for changes."""

from collections.abc import Iterable
from functools import partial
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from demonstrator.bundles.coordinator import metrics, schemas
from demonstrator.bundles.coordinator.history import EventLog, History
from demonstrator.bundles.coordinator.leader_election import NotLeaderError
from demonstrator.bundles.coordinator.openapi import ReadEndpoint, WriteEndpoint, WriteResponses, document
from demonstrator.bundles.coordinator.password import Password
from demonstrator.bundles.coordinator.scaling import ScalingController
from demonstrator.bundles.coordinator.settings import Settings
from demonstrator.bundles.coordinator.watches import NodeWatch
from demonstrator.lib import codec
from demonstrator.lib.feed import Feed, FeedClosedError
from demonstrator.lib.kubernetes import KubernetesError
from demonstrator.model.overview import Overview, Scaling
from demonstrator.platform import PodDirectory

# Far more than any change needs.
BODY_LIMIT = 1024
# Of the interface: its minor part rises with what is added, its major part when something goes.
VERSION = "1.2"

_JSON = "application/json"
_ERRORS = {
    400: "The body is not as described; the error says where.",
    401: "The password is missing or wrong.",
    403: "The request comes from a page of another site.",
    413: f"The body has more than {BODY_LIMIT} bytes.",
    415: f"The body is not {_JSON}.",
    503: "No coordinator can act now; try again.",
}
_STOPPED = {503: "The coordinator has stopped; try again."}


class RefusedError(Exception):
    """A request that is not carried out, with the status and the reason to answer."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Rest:
    """The interface's endpoints, and their handlers."""

    def __init__(
        self,
        settings: Settings,
        feed: Feed[Overview],
        history: History,
        log: EventLog,
        scaling: ScalingController,
        directory: PodDirectory,
        nodes: NodeWatch,
    ) -> None:
        self._hosts = settings.hosts
        self._password = Password(settings.password)
        self._feed = feed
        self._history = history
        self._log = log
        self._scaling = scaling
        self._directory = directory
        self._nodes = nodes
        read, write = ReadEndpoint, WriteEndpoint
        self._reads = (
            read("/coordinator/statistics", "Everything that the page shows", Overview, feed.next, _STOPPED),
            read("/coordinator/systemStats", "Requested and actual numbers", Scaling, self._system, {}),
            read("/coordinator/utilisation", "The queue's utilisation", schemas.Utilisation, self._utilisation, {}),
            read("/coordinator/clusterInfo", "Nodes, pods and containers", schemas.ClusterInfo, self._cluster, {}),
            read("/coordinator/events", "What has happened", schemas.EventList, self._events, {}),
            read("/coordinator/figures", "Every component's figures over time", schemas.Figures, self._figures, {}),
        )
        self._writes = (
            write(
                "/coordinator/systemStats",
                "Scale the producers, or have another kind of them",
                (schemas.ProducersChange, schemas.ProducerModeChange),
                self._change_producers,
            ),
            write(
                "/coordinator/utilisation", "Prefer a utilisation", (schemas.UtilisationChange,), self._set_utilisation
            ),
        )
        responses = WriteResponses(Scaling, _ERRORS, self._password.needed)
        self._document = document(VERSION, self._reads, self._writes, responses, schemas.ErrorResponse)

    def routes(self) -> Iterable[web.RouteDef]:
        """Return every path, for reading and for changing."""
        writes = {endpoint.path: partial(self._write, endpoint) for endpoint in self._writes}
        return [
            *(web.get(endpoint.path, partial(self._read, endpoint)) for endpoint in self._reads),
            *(web.post(path, handler) for path, handler in writes.items()),
            *(web.put(path, handler) for path, handler in writes.items()),
            web.get("/coordinator/openapi.json", self._describe),
            web.get("/metrics", self._metrics),
        ]

    async def _system(self) -> Scaling:
        return self._scaling.status()

    async def _utilisation(self) -> schemas.Utilisation:
        return schemas.utilisation(self._history.overviews, self._scaling.status().preferred_utilisation)

    async def _cluster(self) -> schemas.ClusterInfo:
        return schemas.cluster_info(self._nodes.nodes, self._directory.pods())

    async def _events(self) -> schemas.EventList:
        return schemas.EventList(tuple(self._log.events))

    async def _figures(self) -> schemas.Figures:
        return schemas.figures(self._history.overviews)

    async def _change_producers(self, body: schemas.ProducersChange | schemas.ProducerModeChange) -> None:
        if isinstance(body, schemas.ProducerModeChange):
            await self._scaling.set_producer_mode(body.producer_kind)
        else:
            await self._scaling.scale_producers(body.producers)

    async def _set_utilisation(self, body: schemas.UtilisationChange) -> None:
        await self._scaling.set_target_utilisation(body.preferred_utilisation)

    async def _describe(self, _request: web.Request) -> web.Response:
        return _json(self._document)

    async def _metrics(self, _request: web.Request) -> web.Response:
        try:
            text = metrics.render(metrics.collect(await self._feed.next()))
        except FeedClosedError:
            return _error(503, _STOPPED[503])
        return web.Response(body=text.encode(), headers={"Content-Type": metrics.CONTENT_TYPE})

    async def _read(self, endpoint: ReadEndpoint, _request: web.Request) -> web.Response:
        try:
            return _json(await endpoint.handler())
        except FeedClosedError:
            return _error(503, _STOPPED[503])

    async def _write(self, endpoint: WriteEndpoint, request: web.Request) -> web.Response:
        """Check a request, carry it out, and answer what is requested now."""
        try:
            check_origin(request, self._hosts)
            if not await self._password.admits(request.headers.get("Authorization")):
                return _error(401, "the dashboard's password is needed")
            await endpoint.handler(_decode(endpoint.bodies, await _body(request)))
        except RefusedError as error:
            return _error(error.status, str(error))
        except ValueError as error:
            return _error(400, str(error))
        except (NotLeaderError, KubernetesError) as error:
            return _error(503, f"not now, try again: {error}")
        return _json(self._scaling.status())


def check_origin(request: web.Request, hosts: frozenset[str]) -> None:
    """Check that a change is not what a page of another site makes a browser send; a program names no site at all.

    A page's own name is no proof of where it comes from: its owner may let that name lead to the dashboard after the
    page was loaded (DNS rebinding). An address or localhost cannot be made to lead elsewhere.

    Args:
        request: the change.
        hosts: the names under which the dashboard is known.

    Raises:
        RefusedError: with status 403.
    """
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    origin = request.headers.get("Origin")
    if site != "same-origin" or origin not in (None, f"{request.scheme}://{request.host}"):
        raise RefusedError(403, "changes are made from the demonstrator's own page")
    if not _is_own_host(request.host, hosts):
        raise RefusedError(403, "changes are made at the demonstrator's address, or a name in DASHBOARD_HOSTS")


def _is_own_host(host: str, names: frozenset[str]) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
        if name == "localhost" or name in names:
            return True
        ip_address(name)
    except ValueError:
        return False
    return True


async def _body(request: web.Request) -> bytes:
    if request.content_type != _JSON:
        raise RefusedError(415, f"the body has to be {_JSON}")
    body = b""
    async for chunk in request.content.iter_chunked(BODY_LIMIT):
        body += chunk
        if len(body) > BODY_LIMIT:
            raise RefusedError(413, f"a body has at most {BODY_LIMIT} bytes")
    return body


def _decode(kinds: tuple[type, ...], text: bytes) -> Any:
    """Return the body as that of the possible types that has its members, or else as the first one."""
    body = codec.loads(text, "body")
    kind = kinds[0]
    if isinstance(body, dict):
        # 5.0 is 5: JSON does not tell them apart, and the numbers that are changed here are counted.
        body = {
            name: int(value) if isinstance(value, float) and value.is_integer() else value
            for name, value in body.items()
        }
        kind = next((kind for kind in kinds if body.keys() == kind.__annotations__.keys()), kind)
    return codec.convert(kind, body, "body")


def _error(status: int, reason: str) -> web.Response:
    response = _json(schemas.ErrorResponse(reason), status)
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Basic realm="INAETICS demonstrator", charset="UTF-8"'
    return response


def _json(data: Any, status: int = 200) -> web.Response:
    return web.Response(
        status=status, body=codec.encode(data), content_type=_JSON, headers={"Cache-Control": "no-store"}
    )
