"""The HTTP interface: targets and bundles for agents, a page for people."""

import time
from collections import OrderedDict
from dataclasses import dataclass

from aiohttp import web

from demonstrator.contracts import wire
from demonstrator.contracts.manifest import Report
from demonstrator.contracts.samples import check_name
from demonstrator.provisioning import page
from demonstrator.provisioning.repository import Repository

# An agent reports every 10 s: one that has been silent for this long is not shown any more.
_FORGET_SECONDS = 60.0
_AGENTS = 200


@dataclass(frozen=True, slots=True)
class Heard:
    """An agent's last report and when it came."""

    report: Report
    at: float


class Provisioning:
    """Answers agents and people."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._heard: OrderedDict[str, Heard] = OrderedDict()

    def make_app(self) -> web.Application:
        """The HTTP application."""
        app = web.Application(client_max_size=2**16)
        app.add_routes(
            [
                web.get("/", self._page),
                web.get("/style.css", self._style),
                web.get("/ready", self._ready),
                web.get("/targets", self._targets),
                web.get("/targets/{target}", self._target),
                web.get("/bundles/{name}/{version}", self._bundle),
                web.get("/agents", self._agents),
                web.put("/agents/{pod}", self._report),
            ]
        )
        return app

    def heard(self) -> dict[str, Heard]:
        """The agents that have reported lately, newest last."""
        forgotten = time.time() - _FORGET_SECONDS
        while self._heard and next(iter(self._heard.values())).at < forgotten:
            self._heard.popitem(last=False)
        return dict(self._heard)

    async def _page(self, request: web.Request) -> web.Response:
        agents = {pod: (heard.report, heard.at) for pod, heard in self.heard().items()}
        html = page.render(self._repository, agents, time.time())
        return web.Response(text=html, content_type="text/html", headers=page.HEADERS)

    async def _style(self, request: web.Request) -> web.Response:
        return web.Response(text=page.style(), content_type="text/css", headers=page.HEADERS)

    async def _ready(self, request: web.Request) -> web.Response:
        return web.Response(text="ready\n")

    async def _targets(self, request: web.Request) -> web.Response:
        return _json({target: self._repository.offers(target) for target in self._repository.targets})

    async def _target(self, request: web.Request) -> web.Response:
        offers = self._repository.offers(request.match_info["target"])
        if offers is None:
            return _json({"error": "no such target"}, status=404)
        return _json(offers)

    async def _bundle(self, request: web.Request) -> web.Response:
        bundle = self._repository.find(request.match_info["name"], request.match_info["version"])
        if bundle is None:
            return _json({"error": "no such bundle"}, status=404)
        return web.Response(
            body=bundle.archive,
            content_type="application/zip",
            headers={"ETag": f'"{bundle.digest}"'},
        )

    async def _agents(self, request: web.Request) -> web.Response:
        return _json(self.heard())

    async def _report(self, request: web.Request) -> web.Response:
        pod = request.match_info["pod"]
        try:
            check_name(pod)
            report = wire.decode(Report, wire.loads(await request.read()), "report")
        except ValueError as error:
            return _json({"error": str(error)}, status=400)
        self._heard[pod] = Heard(report, time.time())
        self._heard.move_to_end(pod)
        if len(self._heard) > _AGENTS:
            self._heard.popitem(last=False)
        return web.Response(status=204)


def _json(data: object, status: int = 200) -> web.Response:
    return web.Response(status=status, body=wire.dumps(data), content_type="application/json")
