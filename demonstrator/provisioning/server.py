"""The HTTP interface: targets and bundles for agents, changes and a page for people."""

import asyncio
import contextlib
import hashlib
import hmac
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from msgspec import Struct
from msgspec.structs import asdict

from demonstrator.lib import codec
from demonstrator.lib.kubernetes import KubernetesError
from demonstrator.model import check_name
from demonstrator.platform.manifest import Report
from demonstrator.provisioning.archive import ARCHIVE_LIMIT, BundleArchive
from demonstrator.provisioning.config_map_store import State
from demonstrator.provisioning.repository import ConflictError, NotFoundError, Repository

# How long an agent waits that has everything already.
POLL_SECONDS = 25.0

# Agents report every 10 s: the page shows none that has been silent for this long.
_AGENT_TIMEOUT = 60.0
_MAX_AGENTS = 200
# The page shows the newest changes; /audit has all of them.
_ENTRIES_SHOWN = 20
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

_FILES = Path(__file__).resolve().parent
_STYLE = (_FILES / "style.css").read_text("utf-8")
# Names, descriptions and reports come from outside: they are escaped.
_templates = Environment(
    loader=FileSystemLoader(_FILES / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)
_templates.filters["utc"] = lambda seconds: datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_logger = logging.getLogger(__name__)


class _UnauthorizedError(Exception):
    """A change without the token."""


_STATUSES: dict[type[Exception], int] = {_UnauthorizedError: 401, NotFoundError: 404, ConflictError: 409}


class _AssignmentRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a request that assigns a bundle."""

    version: str


class ProvisioningServer:
    """Answers agents and people; changes need the token whose SHA-256 sum is in the file `token_sum`."""

    def __init__(self, repository: Repository, token_sum: Path) -> None:
        self._repository = repository
        self._token_sum = token_sum
        self._reports: dict[str, dict[str, Any]] = {}  # by pod: the report, and when it came; newest last

    def make_app(self) -> web.Application:
        """Return the HTTP application."""
        repository, change = self._repository, self._make_changing
        assigned = "/targets/{target}/bundles/{name}"
        app = web.Application(client_max_size=2**16, middlewares=[self._handle_errors])
        app.cleanup_ctx.append(self._follow_state)
        routes = [
            web.get("/", self._page),
            web.get("/style.css", self._style),
            web.get("/live", self._live),
            web.get("/ready", self._ready),
            web.get("/features", _data(lambda: repository.image.features)),
            web.get("/targets", _data(self._targets)),
            web.get("/targets/{target}", self._target),
            web.put(assigned, change("assigned {name} {version} to {target}", repository.assign)),
            web.delete(assigned, change("removed {name} from {target}", repository.remove)),
            web.post("/targets/{target}/rollback", change("rolled {target} back", repository.roll_back)),
            web.get("/bundles", _data(self._bundles)),
            web.post("/bundles", self._upload),
            web.get("/bundles/{name}/{version}", _archive(repository.find)),
            web.delete("/bundles/{name}/{version}", change("deleted {name} {version}", repository.delete)),
            web.get("/archives/{digest}", _archive(lambda digest: repository.archive(f"sha256:{digest}"))),
            web.get("/audit", _data(lambda: repository.state.audit)),
            web.get("/agents", _data(self._agents)),
            web.put("/agents/{pod}", self._report),
        ]
        app.add_routes(routes)
        return app

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
        except (_UnauthorizedError, NotFoundError, ConflictError, ValueError) as error:
            return _error(_STATUSES.get(type(error), 400), str(error))
        except KubernetesError as error:
            _logger.warning("a change failed: %s", error)
            return _error(503, "the cluster has not confirmed the change: try again")

    def _make_changing(self, action: str, plan: Callable[..., State]) -> _Handler:
        """Return a handler that makes a change, and answers with the target that it concerns."""

        async def handle(request: web.Request) -> web.Response:
            actor, names = self._authorize(request), dict(request.match_info)
            if request.method == "PUT":
                names["version"] = codec.decode(_AssignmentRequest, await request.read(), "assignment").version
            await self._repository.change(actor, action.format(**names), lambda: plan(**names))
            return _json(self._targets()[names["target"]]) if "target" in names else web.Response(status=204)

        return handle

    def _authorize(self, request: web.Request) -> str:
        """Return the address of a client that has the token; comes before anything of the request is read."""
        try:
            # Read each time: the kubelet replaces the file when the Secret changes.
            expected = self._token_sum.read_text().strip()
        except OSError as error:
            _logger.warning("every change is refused, since the token's sum cannot be read: %s", error)
            expected = ""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        found = hashlib.sha256(token.strip().encode(errors="surrogateescape")).hexdigest()
        if not hmac.compare_digest(found, expected) or scheme.lower() != "bearer":
            raise _UnauthorizedError("changing something needs the token")
        return request.remote or "an unknown address"

    async def _page(self, _: web.Request) -> web.Response:
        bundles = self._bundles()
        html = _templates.get_template("page.html").render(
            targets=self._targets(),
            bundles=bundles,
            descriptions={bundle["digest"]: bundle["description"] for bundle in bundles},
            agents=sorted(self._agents().items()),
            audit=self._repository.state.audit[:_ENTRIES_SHOWN],
            now=time.time(),
        )
        return web.Response(text=html, content_type="text/html", headers=_SECURITY_HEADERS)

    async def _style(self, _: web.Request) -> web.Response:
        return web.Response(text=_STYLE, content_type="text/css", headers=_SECURITY_HEADERS)

    async def _live(self, _: web.Request) -> web.Response:
        return web.Response(text="live\n")

    async def _ready(self, _: web.Request) -> web.Response:
        return web.Response(text="ready\n") if self._repository.loaded else web.Response(text="not yet\n", status=503)

    def _targets(self) -> dict[str, dict[str, Any]]:
        return {
            target: {
                "revision": self._repository.revision(target),
                "by_hand": len(self._repository.state.targets.get(target, ())),
                "bundles": self._repository.assignment(target),
            }
            for target in self._repository.image.targets
        }

    async def _target(self, request: web.Request) -> web.Response:
        target, known = request.match_info["target"], request.query.get("known")
        changed = known is None or await self._repository.wait_for_change(target, known, POLL_SECONDS)
        headers = {"ETag": f'"{self._repository.revision(target)}"', "Cache-Control": "no-store"}
        if not changed:
            return web.Response(status=304, headers=headers)
        return _json(self._repository.offers(target), headers=headers)

    def _bundles(self) -> list[dict[str, Any]]:
        return [self._describe_bundle(bundle) for bundle in self._repository.bundles()]

    def _describe_bundle(self, bundle: BundleArchive) -> dict[str, Any]:
        targets = self._repository.image.targets
        return {
            **asdict(bundle.ref),
            "description": bundle.manifest.description,
            "size": len(bundle.content),
            "files": bundle.files,
            "from_image": bundle in self._repository.image.bundles.values(),
            "targets": [target for target in targets if bundle.ref in self._repository.assignment(target)],
        }

    async def _upload(self, request: web.Request) -> web.Response:
        actor = self._authorize(request)
        content = bytearray()
        async for chunk in request.content.iter_chunked(2**16):
            content += chunk
            if len(content) > ARCHIVE_LIMIT:
                return _error(413, f"an archive has at most {ARCHIVE_LIMIT} bytes")
        bundle, new = await self._repository.upload(bytes(content), actor)
        return _json(self._describe_bundle(bundle), status=201 if new else 200)

    def _agents(self) -> dict[str, dict[str, Any]]:
        oldest = time.time() - _AGENT_TIMEOUT
        return {pod: heard for pod, heard in self._reports.items() if heard["at"] >= oldest}

    async def _report(self, request: web.Request) -> web.Response:
        pod = request.match_info["pod"]
        check_name(pod)
        report = codec.decode(Report, await request.read(), "report")
        self._reports.pop(pod, None)
        self._reports[pod] = {"report": report, "at": time.time()}
        if len(self._reports) > _MAX_AGENTS:
            del self._reports[next(iter(self._reports))]
        return web.Response(status=204)


def _data(read: Callable[[], object]) -> _Handler:
    """Return a handler that answers with a value as it is then."""

    async def handle(_: web.Request) -> web.Response:
        return _json(read())

    return handle


def _archive(find: Callable[..., BundleArchive]) -> _Handler:
    """Return a handler that answers with the archive of that name."""

    async def handle(request: web.Request) -> web.Response:
        bundle = find(**request.match_info)
        headers = {"ETag": f'"{bundle.ref.digest}"', "X-Content-Type-Options": "nosniff"}
        return web.Response(body=bundle.content, content_type="application/zip", headers=headers)

    return handle


def _json(data: object, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(status=status, body=codec.encode(data), content_type="application/json", headers=headers)


def _error(status: int, message: str) -> web.Response:
    headers = {"WWW-Authenticate": 'Bearer realm="provisioning"'} if status == 401 else None
    return _json({"error": message}, status, headers)
