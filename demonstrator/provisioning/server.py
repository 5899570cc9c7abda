"""The HTTP interface: targets and bundles for agents, changes and a page for people."""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable

from aiohttp import web

from demonstrator.lib import codec
from demonstrator.model.samples import check_name
from demonstrator.platform.manifest import Report
from demonstrator.platform.spi import KubernetesError
from demonstrator.provisioning import page, views
from demonstrator.provisioning.credential import Credential
from demonstrator.provisioning.repository import AbsentError, Repository
from demonstrator.provisioning.state import RefusedError
from demonstrator.provisioning.stored import ARCHIVE_LIMIT, StoredBundle
from demonstrator.provisioning.views import Heard, Wish

# How long an agent is kept waiting that knows everything already.
POLL_SECONDS = 25.0

# An agent reports every 10 s: one that has been silent for this long is not shown any more.
_FORGET_SECONDS = 60.0
_AGENTS = 200
_RETRY_SECONDS = 1.0
# Answered before the cluster has told what is kept there.
_ALWAYS = ("/live", "/ready", "/style.css")

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_logger = logging.getLogger(__name__)


class Provisioning:
    """Answers agents and people."""

    def __init__(self, repository: Repository, credential: Credential) -> None:
        self._repository = repository
        self._credential = credential
        self._heard: OrderedDict[str, Heard] = OrderedDict()

    def make_app(self) -> web.Application:
        """The HTTP application."""
        app = web.Application(client_max_size=2**16, middlewares=[self._answer])
        app.cleanup_ctx.append(self._loading)
        app.add_routes(
            [
                web.get("/", self._page),
                web.get("/style.css", self._style),
                web.get("/live", self._live),
                web.get("/ready", self._ready),
                web.get("/features", self._features),
                web.get("/targets", self._targets),
                web.get("/targets/{target}", self._target),
                web.put("/targets/{target}/bundles/{name}", self._allowed(self._assign)),
                web.delete("/targets/{target}/bundles/{name}", self._allowed(self._remove)),
                web.post("/targets/{target}/rollback", self._allowed(self._roll_back)),
                web.get("/bundles", self._bundles),
                web.post("/bundles", self._allowed(self._upload)),
                web.get("/bundles/{name}/{version}", self._bundle),
                web.delete("/bundles/{name}/{version}", self._allowed(self._delete)),
                web.get("/archives/{digest}", self._archive),
                web.get("/audit", self._audit),
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

    async def _loading(self, app: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(self._load())
        yield
        task.cancel()

    async def _load(self) -> None:
        """Learn what is kept in the cluster; until then there is nothing to tell to anybody."""
        trouble = ""
        while not self._repository.loaded:
            try:
                await self._repository.load()
            except (KubernetesError, codec.DecodeError) as error:
                if trouble != (trouble := str(error)):
                    _logger.warning("what is kept cannot be read: %s", trouble)
                await asyncio.sleep(_RETRY_SECONDS)

    @web.middleware
    async def _answer(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        if not self._repository.loaded and request.path not in _ALWAYS:
            return _error(503, "what is kept in the cluster is not read yet")
        try:
            return await handler(request)
        except AbsentError as error:
            return _error(404, str(error))
        except RefusedError as error:
            return _error(409, str(error))
        except ValueError as error:
            return _error(400, str(error))
        except KubernetesError as error:
            _logger.warning("a change could not be kept: %s", error)
            return _error(503, "the cluster does not keep the change: try again")

    def _allowed(self, handler: _Handler) -> _Handler:
        """Asks for the credential before anything of the request is read."""

        async def handle(request: web.Request) -> web.StreamResponse:
            if self._credential.allows(request.headers.get("Authorization", "")):
                return await handler(request)
            return _error(
                401, "changing something needs the token", {"WWW-Authenticate": 'Bearer realm="provisioning"'}
            )

        return handle

    async def _page(self, request: web.Request) -> web.Response:
        html = page.render(self._repository, self.heard(), time.time())
        return web.Response(text=html, content_type="text/html", headers=page.HEADERS)

    async def _style(self, request: web.Request) -> web.Response:
        return web.Response(text=page.style(), content_type="text/css", headers=page.HEADERS)

    async def _live(self, request: web.Request) -> web.Response:
        return web.Response(text="live\n")

    async def _ready(self, request: web.Request) -> web.Response:
        loaded = self._repository.loaded
        return web.Response(status=200 if loaded else 503, text="ready\n" if loaded else "not yet\n")

    async def _features(self, request: web.Request) -> web.Response:
        return _json(self._repository.image.features)

    async def _targets(self, request: web.Request) -> web.Response:
        return _json({target: views.target(self._repository, target) for target in self._repository.image.targets})

    async def _target(self, request: web.Request) -> web.Response:
        target, known = request.match_info["target"], request.query.get("known")
        news = known is None or await self._repository.news(target, known, POLL_SECONDS)
        headers = {"ETag": f'"{self._repository.revision(target)}"', "Cache-Control": "no-store"}
        if not news:
            return web.Response(status=304, headers=headers)
        return _json(self._repository.offers(target), headers=headers)

    async def _assign(self, request: web.Request) -> web.Response:
        target, name = request.match_info["target"], request.match_info["name"]
        wish = codec.decode(Wish, await request.read(), "assignment")
        await self._repository.assign(target, name, wish.version, _who(request))
        return _json(views.target(self._repository, target))

    async def _remove(self, request: web.Request) -> web.Response:
        target, name = request.match_info["target"], request.match_info["name"]
        await self._repository.remove(target, name, _who(request))
        return _json(views.target(self._repository, target))

    async def _roll_back(self, request: web.Request) -> web.Response:
        target = request.match_info["target"]
        await self._repository.roll_back(target, _who(request))
        return _json(views.target(self._repository, target))

    async def _bundles(self, request: web.Request) -> web.Response:
        return _json(tuple(views.listed(self._repository, bundle) for bundle in self._repository.bundles()))

    async def _upload(self, request: web.Request) -> web.Response:
        content = bytearray()
        async for chunk in request.content.iter_chunked(2**16):
            content += chunk
            if len(content) > ARCHIVE_LIMIT:
                return _error(413, f"an archive has at most {ARCHIVE_LIMIT} bytes")
        bundle, new = await self._repository.upload(bytes(content), _who(request))
        return _json(views.listed(self._repository, bundle), status=201 if new else 200)

    async def _delete(self, request: web.Request) -> web.Response:
        await self._repository.delete(request.match_info["name"], request.match_info["version"], _who(request))
        return web.Response(status=204)

    async def _bundle(self, request: web.Request) -> web.Response:
        return _archive(self._repository.find(request.match_info["name"], request.match_info["version"]))

    async def _archive(self, request: web.Request) -> web.Response:
        return _archive(self._repository.archive(f"sha256:{request.match_info['digest']}"))

    async def _audit(self, request: web.Request) -> web.Response:
        return _json(self._repository.state.audit)

    async def _agents(self, request: web.Request) -> web.Response:
        return _json(self.heard())

    async def _report(self, request: web.Request) -> web.Response:
        pod = request.match_info["pod"]
        check_name(pod)
        report = codec.decode(Report, await request.read(), "report")
        self._heard[pod] = Heard(report, time.time())
        self._heard.move_to_end(pod)
        if len(self._heard) > _AGENTS:
            self._heard.popitem(last=False)
        return web.Response(status=204)


def _who(request: web.Request) -> str:
    return request.remote or "an unknown address"


def _archive(bundle: StoredBundle) -> web.Response:
    return web.Response(
        body=bundle.archive,
        content_type="application/zip",
        headers={"ETag": f'"{bundle.digest}"', "X-Content-Type-Options": "nosniff"},
    )


def _json(data: object, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(status=status, body=codec.encode(data), content_type="application/json", headers=headers)


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> web.Response:
    return _json({"error": message}, status, headers)
