"""The HTTP interface: targets and bundles for agents, changes and a page for people."""

import asyncio
import contextlib
import hashlib
import hmac
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from aiohttp import web

from demonstrator.lib import codec
from demonstrator.lib.kubernetes import KubernetesError
from demonstrator.model.samples import check_name
from demonstrator.platform.manifest import Report
from demonstrator.provisioning import views
from demonstrator.provisioning.archive import ARCHIVE_LIMIT, BundleArchive
from demonstrator.provisioning.repository import NotFoundError, Repository
from demonstrator.provisioning.state import ConflictError
from demonstrator.provisioning.views import AgentStatus, AssignmentRequest

# How long an agent waits that has everything already.
POLL_SECONDS = 25.0

# Agents report every 10 s: the page shows none that has been silent for this long.
_AGENT_TIMEOUT = 60.0
_MAX_AGENTS = 200
_RETRY_SECONDS = 1.0
# Another server may have changed the state: there are two for a moment when a pod is replaced.
_RELOAD_SECONDS = 10.0
# Answered before the state is read.
_STATELESS = ("/live", "/ready", "/style.css")
_SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_logger = logging.getLogger(__name__)


class TokenVerifier:
    """Knows the SHA-256 sum of the token that changes need; the token itself is not in the cluster."""

    def __init__(self, sum_file: Path) -> None:
        self._sum_file = sum_file

    def verify(self, authorization: str) -> bool:
        """Return whether a request with this header Authorization may change something."""
        try:
            # Read each time: the kubelet replaces the file when the Secret changes.
            expected = self._sum_file.read_text().strip()
        except OSError as error:
            _logger.warning("every change is refused, since the token's sum cannot be read: %s", error)
            return False
        scheme, _, token = authorization.partition(" ")
        found = hashlib.sha256(token.strip().encode(errors="surrogateescape")).hexdigest()
        return hmac.compare_digest(found, expected) and scheme.lower() == "bearer"


class ProvisioningServer:
    """Answers agents and people."""

    def __init__(self, repository: Repository, verifier: TokenVerifier) -> None:
        self._repository = repository
        self._verifier = verifier
        self._reports: OrderedDict[str, AgentStatus] = OrderedDict()

    def make_app(self) -> web.Application:
        """The HTTP application."""
        app = web.Application(client_max_size=2**16, middlewares=[self._handle_errors])
        app.cleanup_ctx.append(self._follow_state)
        app.add_routes(
            [
                web.get("/", self._page),
                web.get("/style.css", self._style),
                web.get("/live", self._live),
                web.get("/ready", self._ready),
                web.get("/features", self._features),
                web.get("/targets", self._targets),
                web.get("/targets/{target}", self._target),
                web.put("/targets/{target}/bundles/{name}", self._authorized(self._assign)),
                web.delete("/targets/{target}/bundles/{name}", self._authorized(self._remove)),
                web.post("/targets/{target}/rollback", self._authorized(self._roll_back)),
                web.get("/bundles", self._bundles),
                web.post("/bundles", self._authorized(self._upload)),
                web.get("/bundles/{name}/{version}", self._bundle),
                web.delete("/bundles/{name}/{version}", self._authorized(self._delete)),
                web.get("/archives/{digest}", self._archive),
                web.get("/audit", self._audit),
                web.get("/agents", self._agents),
                web.put("/agents/{pod}", self._report),
            ]
        )
        return app

    def _recent_agents(self) -> dict[str, AgentStatus]:
        oldest = time.time() - _AGENT_TIMEOUT
        while self._reports and next(iter(self._reports.values())).at < oldest:
            self._reports.popitem(last=False)
        return dict(self._reports)

    async def _follow_state(self, _: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(self._keep_loading())
        yield
        task.cancel()

    async def _keep_loading(self) -> None:
        last_error = ""
        while True:
            try:
                await self._repository.load()
            except KubernetesError as error:
                if last_error != (last_error := str(error)):
                    _logger.warning("the state cannot be read: %s", last_error)
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                last_error = ""
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._repository.outdated.wait(), _RELOAD_SECONDS)

    @web.middleware
    async def _handle_errors(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        if not self._repository.loaded and request.path not in _STATELESS:
            return _error(503, "the state is not read from the cluster yet: try again")
        try:
            return await handler(request)
        except NotFoundError as error:
            return _error(404, str(error))
        except ConflictError as error:
            return _error(409, str(error))
        except ValueError as error:
            return _error(400, str(error))
        except KubernetesError as error:
            _logger.warning("a change failed: %s", error)
            return _error(503, "the cluster has not confirmed the change: try again")

    def _authorized(self, handler: _Handler) -> _Handler:
        """Check the token before anything of the request is read."""

        async def handle(request: web.Request) -> web.StreamResponse:
            if self._verifier.verify(request.headers.get("Authorization", "")):
                return await handler(request)
            return _error(
                401, "changing something needs the token", {"WWW-Authenticate": 'Bearer realm="provisioning"'}
            )

        return handle

    async def _page(self, _: web.Request) -> web.Response:
        html = views.render_page(self._repository, self._recent_agents(), time.time())
        return web.Response(text=html, content_type="text/html", headers=_SECURITY_HEADERS)

    async def _style(self, _: web.Request) -> web.Response:
        return web.Response(text=views.STYLE, content_type="text/css", headers=_SECURITY_HEADERS)

    async def _live(self, _: web.Request) -> web.Response:
        return web.Response(text="live\n")

    async def _ready(self, _: web.Request) -> web.Response:
        loaded = self._repository.loaded
        return web.Response(status=200 if loaded else 503, text="ready\n" if loaded else "not yet\n")

    async def _features(self, _: web.Request) -> web.Response:
        return _json(self._repository.image.features)

    async def _targets(self, _: web.Request) -> web.Response:
        return _json({target: views.target_info(self._repository, target) for target in self._repository.image.targets})

    async def _target(self, request: web.Request) -> web.Response:
        target, known = request.match_info["target"], request.query.get("known")
        changed = known is None or await self._repository.wait_for_change(target, known, POLL_SECONDS)
        headers = {"ETag": f'"{self._repository.revision(target)}"', "Cache-Control": "no-store"}
        if not changed:
            return web.Response(status=304, headers=headers)
        return _json(self._repository.offers(target), headers=headers)

    async def _assign(self, request: web.Request) -> web.Response:
        target, name = request.match_info["target"], request.match_info["name"]
        wanted = codec.decode(AssignmentRequest, await request.read(), "assignment")
        await self._repository.assign(target, name, wanted.version, _client_address(request))
        return _json(views.target_info(self._repository, target))

    async def _remove(self, request: web.Request) -> web.Response:
        target, name = request.match_info["target"], request.match_info["name"]
        await self._repository.remove(target, name, _client_address(request))
        return _json(views.target_info(self._repository, target))

    async def _roll_back(self, request: web.Request) -> web.Response:
        target = request.match_info["target"]
        await self._repository.roll_back(target, _client_address(request))
        return _json(views.target_info(self._repository, target))

    async def _bundles(self, _: web.Request) -> web.Response:
        return _json(tuple(views.bundle_info(self._repository, bundle) for bundle in self._repository.bundles()))

    async def _upload(self, request: web.Request) -> web.Response:
        content = bytearray()
        async for chunk in request.content.iter_chunked(2**16):
            content += chunk
            if len(content) > ARCHIVE_LIMIT:
                return _error(413, f"an archive has at most {ARCHIVE_LIMIT} bytes")
        bundle, new = await self._repository.upload(bytes(content), _client_address(request))
        return _json(views.bundle_info(self._repository, bundle), status=201 if new else 200)

    async def _delete(self, request: web.Request) -> web.Response:
        await self._repository.delete(
            request.match_info["name"], request.match_info["version"], _client_address(request)
        )
        return web.Response(status=204)

    async def _bundle(self, request: web.Request) -> web.Response:
        return _archive(self._repository.find(request.match_info["name"], request.match_info["version"]))

    async def _archive(self, request: web.Request) -> web.Response:
        return _archive(self._repository.archive(f"sha256:{request.match_info['digest']}"))

    async def _audit(self, _: web.Request) -> web.Response:
        return _json(self._repository.state.audit)

    async def _agents(self, _: web.Request) -> web.Response:
        return _json(self._recent_agents())

    async def _report(self, request: web.Request) -> web.Response:
        pod = request.match_info["pod"]
        check_name(pod)
        report = codec.decode(Report, await request.read(), "report")
        self._reports[pod] = AgentStatus(report, time.time())
        self._reports.move_to_end(pod)
        if len(self._reports) > _MAX_AGENTS:
            self._reports.popitem(last=False)
        return web.Response(status=204)


def _client_address(request: web.Request) -> str:
    return request.remote or "an unknown address"


def _archive(bundle: BundleArchive) -> web.Response:
    return web.Response(
        body=bundle.content,
        content_type="application/zip",
        headers={"ETag": f'"{bundle.digest}"', "X-Content-Type-Options": "nosniff"},
    )


def _json(data: object, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(status=status, body=codec.encode(data), content_type="application/json", headers=headers)


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> web.Response:
    return _json({"error": message}, status, headers)
