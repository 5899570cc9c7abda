"""The REST interface below /coordinator/: what is, for everybody, and changes from the page itself."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol, get_args

from aiohttp import web

from demonstrator.bundles.coordinator import answers, metrics
from demonstrator.bundles.coordinator.conductor import Conductor, NotActingError
from demonstrator.bundles.coordinator.openapi import Change, Changing, Reading, document
from demonstrator.bundles.coordinator.password import Password
from demonstrator.lib import codec
from demonstrator.lib.kubernetes import KubernetesError
from demonstrator.model.overview import Coordinator, Node, Overview, Scaling
from demonstrator.model.samples import Statistics
from demonstrator.platform import Pod

# Far more than any change needs.
BODY_LIMIT = 1024
# Of the interface: its minor part rises with what is added, its major part when something goes.
VERSION = "1.2"

_JSON = "application/json"
_REASONS = {
    400: "The body is not as described; the error says where.",
    401: "The password is missing or wrong.",
    403: "The request comes from a page of another site.",
    413: f"The body has more than {BODY_LIMIT} bytes.",
    415: f"The body is not {_JSON}.",
    503: "No coordinator can act now; try again.",
}


class RefusedError(Exception):
    """A request that is not carried out, with the status and the reason to answer."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Known(Coordinator, Protocol):
    """What there is to be read."""

    def pods(self) -> tuple[Pod, ...]:
        """The pods of the namespace."""

    def nodes(self) -> tuple[Node, ...]:
        """The machines of the cluster."""

    def figures(self) -> tuple[tuple[float, tuple[Statistics, ...]], ...]:
        """Every component's figures, second by second."""


class Rest:
    """Answers everything below /coordinator/, and /metrics."""

    def __init__(self, known: Known, conductor: Conductor, password: Password) -> None:
        self._known = known
        self._conductor = conductor
        self._password = password
        self._readings = (
            Reading("/coordinator/statistics", "Everything that the page shows", Overview, known.next),
            Reading("/coordinator/systemStats", "Requested and actual numbers", Scaling, self._system),
            Reading("/coordinator/utilisation", "The queue's utilisation", answers.Utilisation, self._utilisation),
            Reading("/coordinator/clusterInfo", "Nodes, pods and containers", answers.ClusterInfo, self._cluster),
            Reading("/coordinator/events", "What has happened", answers.EventList, self._events),
            Reading("/coordinator/figures", "Every component's figures over time", answers.Figures, self._figures),
        )
        self._changes = (
            Change(
                "/coordinator/systemStats",
                "Scale the producers, or have another kind of them",
                answers.ProducersChange | answers.ProducerModeChange,
                self._scale,
            ),
            Change("/coordinator/utilisation", "Prefer a utilisation", answers.PreferenceChange, self._prefer),
        )
        changing = Changing(Scaling, answers.ErrorAnswer, _REASONS, password.needed)
        self._document = document(VERSION, self._readings, self._changes, changing)

    def routes(self) -> Iterable[web.RouteDef]:
        """Every path, for reading and for changing."""
        changes = {change.path: self._change(change) for change in self._changes}
        return [
            *(web.get(reading.path, _read(reading)) for reading in self._readings),
            *(web.post(path, handler) for path, handler in changes.items()),
            *(web.put(path, handler) for path, handler in changes.items()),
            web.get("/coordinator/openapi.json", self._describe),
            web.get("/metrics", self._metrics),
        ]

    async def _system(self) -> Scaling:
        return self._conductor.scaling()

    async def _utilisation(self) -> answers.Utilisation:
        return answers.utilisation(self._known.history(), self._conductor.scaling().preferred_utilisation)

    async def _cluster(self) -> answers.ClusterInfo:
        return answers.cluster_info(self._known.nodes(), self._known.pods())

    async def _events(self) -> answers.EventList:
        return answers.EventList(self._known.events(0))

    async def _figures(self) -> answers.Figures:
        return answers.figures(self._known.figures())

    async def _scale(self, body: answers.ProducersChange | answers.ProducerModeChange) -> None:
        if isinstance(body, answers.ProducerModeChange):
            await self._conductor.choose(body.producer_kind)
        else:
            await self._conductor.scale_producers(body.producers)

    async def _prefer(self, body: answers.PreferenceChange) -> None:
        await self._conductor.prefer(body.preferred_utilisation)

    async def _describe(self, request: web.Request) -> web.Response:
        return _json(self._document)

    async def _metrics(self, request: web.Request) -> web.Response:
        text = metrics.render(metrics.collect(await self._known.next()))
        return web.Response(body=text.encode(), headers={"Content-Type": metrics.CONTENT_TYPE})

    def _change(self, change: Change) -> Callable[[web.Request], Awaitable[web.Response]]:
        """A handler that checks a request, carries it out and answers what is asked for now."""

        async def handle(request: web.Request) -> web.Response:
            try:
                check_origin(request)
                if not await self._password.admits(request.headers.get("Authorization")):
                    return _refuse(401, "the dashboard's password is needed")
                body = _decode(change.body, codec.loads(await _body(request)))
                await change.carry_out(body)
            except RefusedError as error:
                return _refuse(error.status, str(error))
            except ValueError as error:
                return _refuse(400, str(error))
            except (NotActingError, KubernetesError) as error:
                return _refuse(503, f"not now, try again: {error}")
            return _json(self._conductor.scaling())

        return handle


def check_origin(request: web.Request) -> None:
    """Refuse what a page of another site makes a browser send; a program names no site at all."""
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    origin = request.headers.get("Origin")
    if site != "same-origin" or origin not in (None, f"{request.scheme}://{request.host}"):
        raise RefusedError(403, "changes are made from the demonstrator's own page")


def _read(reading: Reading) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        return _json(await reading.ask())

    return handle


async def _body(request: web.Request) -> bytes:
    if request.content_type != _JSON:
        raise RefusedError(415, f"the body has to be {_JSON}")
    body = b""
    async for chunk in request.content.iter_chunked(BODY_LIMIT):
        body += chunk
        if len(body) > BODY_LIMIT:
            raise RefusedError(413, f"a body has at most {BODY_LIMIT} bytes")
    return body


def _decode(kind: Any, body: Any) -> Any:
    """The body, as that of the possible kinds that has its members, or else as the first one."""
    kinds = get_args(kind) or (kind,)
    if isinstance(body, dict):
        # 5.0 is 5: JSON does not tell them apart, and the numbers that are changed here are counted.
        body = {
            name: int(value) if isinstance(value, float) and value.is_integer() else value
            for name, value in body.items()
        }
        kinds = tuple(kind for kind in kinds if body.keys() == set(kind.__struct_fields__)) or kinds
    return codec.convert(kinds[0], body, "body")


def _refuse(status: int, reason: str) -> web.Response:
    answer = _json(answers.ErrorAnswer(reason), status)
    if status == 401:
        answer.headers["WWW-Authenticate"] = 'Basic realm="INAETICS demonstrator", charset="UTF-8"'
    return answer


def _json(data: Any, status: int = 200) -> web.Response:
    return web.Response(
        status=status, body=codec.encode(data), content_type=_JSON, headers={"Cache-Control": "no-store"}
    )
