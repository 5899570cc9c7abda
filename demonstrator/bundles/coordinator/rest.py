"""The REST interface below /coordinator/ and /metrics: open for reading, guarded for changes."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from inspect import isawaitable
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from demonstrator.bundles.coordinator import metrics, schemas
from demonstrator.bundles.coordinator.leader_election import NotLeaderError
from demonstrator.bundles.coordinator.openapi import BODY_LIMIT, CHANGE_METHODS, JSON, Change, Read, Resource, document
from demonstrator.bundles.coordinator.password import Password
from demonstrator.bundles.coordinator.scaling import ScalingController
from demonstrator.bundles.coordinator.settings import Settings
from demonstrator.bundles.coordinator.watches import Cluster
from demonstrator.lib import codec
from demonstrator.lib.feed import FeedClosedError
from demonstrator.lib.kubernetes import KubernetesError
from demonstrator.model.overview import Coordinator, Overview, Scaling
from demonstrator.platform import PodDirectory

_STOPPED = {503: "The coordinator has stopped; try again."}


class _RefusedError(Exception):
    """A request that is not carried out: the status and the reason to answer."""


@dataclass
class Rest:
    """The interface's resources, and the answers to requests."""

    settings: Settings
    coordinator: Coordinator
    scaling: ScalingController
    directory: PodDirectory
    cluster: Cluster

    def __post_init__(self) -> None:
        self._password = Password(self.settings.password)

    def routes(self) -> Iterable[web.RouteDef]:
        """Return every path, for reading and for changing."""
        feed, history, scaling = self.coordinator.feed, self.coordinator.history, self.scaling
        resources = (
            Resource("/coordinator/statistics", "Everything that the page shows", Overview, feed.next, _STOPPED),
            Resource(
                "/coordinator/systemStats",
                "Requested and actual numbers",
                Scaling,
                scaling.status,
                change_summary="Scale the producers, or have another kind of them",
                changes={
                    schemas.ProducersChange: lambda body: scaling.scale_producers(body.producers),
                    schemas.ProducerModeChange: lambda body: scaling.set_producer_mode(body.producer_kind),
                },
            ),
            Resource(
                "/coordinator/utilisation",
                "The queue's utilisation",
                schemas.Utilisation,
                lambda: schemas.utilisation(history, scaling.status().preferred_utilisation),
                change_summary="Prefer a utilisation",
                changes={
                    schemas.UtilisationChange: lambda body: scaling.set_target_utilisation(body.preferred_utilisation)
                },
            ),
            Resource("/coordinator/clusterInfo", "Nodes, pods and containers", schemas.ClusterInfo, self._cluster),
            Resource("/coordinator/events", "What has happened", schemas.EventList, self._events),
            Resource("/coordinator/figures", "Every component's figures over time", schemas.Figures, self._figures),
        )
        description = document(resources, password=self._password.needed)
        routes = [
            web.get("/coordinator/openapi.json", partial(_read, lambda: description, _json)),
            web.get("/metrics", partial(_read, feed.next, _exposition)),
        ]
        for item in resources:
            routes.append(web.get(item.path, partial(_read, item.read, _json)))
            if item.changes:
                change = partial(self._change, item.changes)
                routes += [web.route(method, item.path, change) for method in CHANGE_METHODS]
        return routes

    def _cluster(self) -> schemas.ClusterInfo:
        return schemas.cluster_info(self.cluster.nodes, self.directory.pods())

    def _events(self) -> schemas.EventList:
        return schemas.EventList(tuple(self.coordinator.events))

    def _figures(self) -> schemas.Figures:
        return schemas.figures(self.coordinator.history)

    async def _change(self, changes: Mapping[type, Change], request: web.Request) -> web.Response:
        """Check a request, carry it out, and answer what is requested now."""
        try:
            _check_origin(request, self.settings.hosts)
            if not await self._password.admits(request.headers.get("Authorization")):
                return _error(401, "the dashboard's password is needed")
            body = _decode(tuple(changes), await _body(request))
            await changes[type(body)](body)
        except _RefusedError as error:
            return _error(*error.args)
        except ValueError as error:
            return _error(400, str(error))
        except (NotLeaderError, KubernetesError) as error:
            return _error(503, f"not now, try again: {error}")
        return _json(self.scaling.status())


async def _read(read: Read, respond: Callable[[Any], web.Response], _request: web.Request) -> web.Response:
    try:
        answer = read()
        return respond(await answer if isawaitable(answer) else answer)
    except FeedClosedError:
        return _error(503, _STOPPED[503])


def _exposition(overview: Overview) -> web.Response:
    return web.Response(body=metrics.render(overview).encode(), headers={"Content-Type": metrics.CONTENT_TYPE})


def _check_origin(request: web.Request, hosts: frozenset[str]) -> None:
    """Check that a change is not what a page of another site makes a browser send; a program names no site at all."""
    # A page's own name is no proof of where it comes from: its owner may let that name lead to the dashboard after the
    # page was loaded (DNS rebinding). An address or localhost cannot be made to lead elsewhere.
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    origin = request.headers.get("Origin")
    if site != "same-origin" or origin not in (None, f"{request.scheme}://{request.host}"):
        raise _RefusedError(403, "changes are made from the demonstrator's own page")
    if not _is_own_host(request.host, hosts):
        raise _RefusedError(403, "changes are made at the demonstrator's address, or a name in DASHBOARD_HOSTS")


def _is_own_host(host: str, names: frozenset[str]) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name in {"localhost", *names} or bool(ip_address(name))
    except ValueError:
        return False


async def _body(request: web.Request) -> bytes:
    if request.content_type != JSON:
        raise _RefusedError(415, f"the body has to be {JSON}")
    body = b""
    async for chunk in request.content.iter_chunked(BODY_LIMIT):
        body += chunk
        if len(body) > BODY_LIMIT:
            raise _RefusedError(413, f"a body has at most {BODY_LIMIT} bytes")
    return body


def _decode(kinds: tuple[type, ...], text: bytes) -> Any:
    """Return the body as that of the possible types that has its members, or else as the first one."""
    body = codec.decode(Any, text, "body")
    kind = kinds[0]
    if isinstance(body, dict):
        # 5.0 is 5: JSON does not tell them apart, and the numbers that are changed here are counted.
        body |= {name: int(value) for name, value in body.items() if isinstance(value, float) and value.is_integer()}
        kind = next((kind for kind in kinds if body.keys() == kind.__annotations__.keys()), kind)
    return codec.convert(kind, body, "body")


def _error(status: int, reason: str) -> web.Response:
    response = _json(schemas.ErrorResponse(reason), status)
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Basic realm="INAETICS demonstrator", charset="UTF-8"'
    return response


def _json(data: Any, status: int = 200) -> web.Response:
    headers = {"Cache-Control": "no-store"}
    return web.Response(status=status, body=codec.encode(data), content_type=JSON, headers=headers)
