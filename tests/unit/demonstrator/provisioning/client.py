"""Asking a provisioning server, and a bundle of one's own to ask with."""

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

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
