"""Requests to a provisioning server, a bundle to upload, and a network to its cluster that fails."""

import asyncio
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient

Client = TestClient[Any, Any]
Start = Callable[..., Any]

TOKEN = {"Authorization": "Bearer a+token/of=tests"}
OWN = {"name": "own", "version": "1.0.0", "module": "own_bundle", "description": "a <b>test</b>", "imports": []}


def packed(changes: dict[str, Any] | None = None, files: Mapping[str, str] | None = None) -> bytes:
    """The archive of a bundle of one's own: the same bytes whenever it is made."""
    manifest = json.dumps(OWN | (changes or {}))
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        whole = {"bundle.json": manifest, "own_bundle/": "", "own_bundle/__init__.py": "", **(files or {})}
        for name, text in whole.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return content.getvalue()


def zipped(*entries: tuple[zipfile.ZipInfo | str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """An archive of just these entries."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        for name, text in entries:
            archive.writestr(name, text)
    return content.getvalue()


async def told(client: Client, path: str) -> Any:
    async with client.get(path) as answer:
        assert answer.status == 200, (path, answer.status)
        return await answer.json()


async def change(client: Client, method: str, path: str, status: int = 200, **body: Any) -> Any:
    async with client.request(method, path, headers=TOKEN, **body) as answer:
        assert answer.status == status, await answer.text()
        return await answer.json() if status != 204 else None


async def versions(client: Client, target: str) -> dict[str, str]:
    return {offer["name"]: offer["version"] for offer in await told(client, f"/targets/{target}")}


@dataclass
class Hold:
    """A request that is kept waiting: `reached` is set by the request, `release` by the test."""

    reached: asyncio.Event = field(default_factory=asyncio.Event)
    release: asyncio.Event = field(default_factory=asyncio.Event)


class Network:
    """Faults of the provisioning server's requests to the Kubernetes API, by method and in order."""

    def __init__(self) -> None:
        self._faults: dict[str, list[str | Hold]] = {}

    def plan(self, method: str, *faults: str | Hold) -> None:
        """Plan the next requests of a method: "pass", "lose" (applied, without an answer), "refuse" (503) or a Hold."""
        self._faults[method] = list(faults)

    @property
    def middleware(self) -> Any:
        @web.middleware
        async def middleware(request: web.Request, handler: Any) -> web.StreamResponse:
            faults = self._faults.get(request.method)
            fault = faults.pop(0) if faults else "pass"
            if fault == "refuse":
                raise web.HTTPServiceUnavailable
            if isinstance(fault, Hold):
                fault.reached.set()
                await fault.release.wait()
            response: web.StreamResponse = await handler(request)
            if fault == "lose" and request.transport:
                request.transport.abort()
            return response

        return middleware
