"""The Kubernetes API as the demonstrator's pods use it, with the service account of each."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from demonstrator.lib import codec
from demonstrator.lib.errors import REQUEST_ERRORS, format_error

_logger = logging.getLogger(__name__)

_TIMEOUT = aiohttp.ClientTimeout(total=10.0)
# Shorter than what is left of a lease when its holder stops acting: see the coordinator's lease.
_PATCH_TIMEOUT = aiohttp.ClientTimeout(total=3.0)
# The server ends a watch after 300 s. A bookmark comes about once a minute: longer silence means a dead connection.
_WATCH_TIMEOUT = aiohttp.ClientTimeout(total=330, sock_connect=5, sock_read=150)
# Where the kubelet puts the token and the API's authority.
SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


class KubernetesError(Exception):
    """The API server refused a request, ended a watch, or did not answer (status 0)."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


def api_url(environment: Mapping[str, str]) -> str:
    """Return the API's address: KUBERNETES_URL, or the address in every pod's environment."""
    host = environment.get("KUBERNETES_SERVICE_HOST", "kubernetes.default.svc")
    given = f"https://{host}:{environment.get('KUBERNETES_SERVICE_PORT', '443')}"
    return environment.get("KUBERNETES_URL", given).rstrip("/")


class Kubernetes:
    """A client with the rights of the pod's service account; a request that fails raises KubernetesError."""

    def __init__(self, url: str, service_account: Path, session: aiohttp.ClientSession) -> None:
        self._url = url
        self._token = service_account / "token"
        self._session = session
        authority = service_account / "ca.crt"
        self._tls = ssl.create_default_context(cafile=authority) if url.startswith("https:") else True

    async def read(self, path: str) -> dict[str, Any]:
        """Get an object or a list."""
        return await self._send("GET", path)

    async def patch(self, path: str, change: Mapping[str, Any]) -> dict[str, Any]:
        """Merge a change into an object; with a resourceVersion in it, only into that version, or else status 409."""
        return await self._send("PATCH", path, change, _PATCH_TIMEOUT)

    async def create(self, path: str, item: Mapping[str, Any]) -> dict[str, Any]:
        """Add an object to a collection; status 409 where one of that name exists."""
        return await self._send("POST", path, item)

    async def replace(self, path: str, item: Mapping[str, Any]) -> dict[str, Any]:
        """Replace an object; with a resourceVersion in it, only that version, or else status 409."""
        return await self._send("PUT", path, item)

    async def delete(self, path: str) -> None:
        """Remove an object."""
        await self._send("DELETE", path)

    async def follow(self, path: str) -> AsyncIterator[dict[str, dict[str, Any]]]:
        """Yield the objects of a collection by name, now and after each change, until cancelled."""
        # Nothing comes while the API server does not answer: the last answer stays in use.
        last_error = ""
        while True:
            try:
                answer = await self.read(path)
                objects = {item["metadata"]["name"]: item for item in answer["items"]}
                last_error = ""
                yield objects
                async for event in self._watch(path, str(answer["metadata"]["resourceVersion"])):
                    item = event["object"]
                    if event["type"] == "DELETED":
                        objects.pop(item["metadata"]["name"], None)
                    elif event["type"] != "BOOKMARK":
                        objects[item["metadata"]["name"]] = item
                    yield objects
            except (*REQUEST_ERRORS, KubernetesError) as error:
                if last_error != (last_error := format_error(error)):
                    _logger.warning("%s cannot be watched: %s", path.rpartition("/")[2], last_error)
                await asyncio.sleep(1)

    async def _watch(self, path: str, version: str) -> AsyncIterator[dict[str, Any]]:
        """Yield the events since `version` as they happen, until the server ends the watch."""
        query = {"watch": 1, "resourceVersion": version, "allowWatchBookmarks": "true", "timeoutSeconds": 300}
        async with self._request("GET", path, _WATCH_TIMEOUT, params=query) as response:
            async for line in response.content:
                event = codec.decode(dict[str, Any], line, "event")
                if event.get("type") == "ERROR":
                    raise KubernetesError(f"watch of {path} ended: {event['object'].get('message')}")
                yield event

    async def _send(
        self, method: str, path: str, item: Mapping[str, Any] | None = None, limit: aiohttp.ClientTimeout = _TIMEOUT
    ) -> dict[str, Any]:
        body = None if item is None else codec.encode(item)
        try:
            async with self._request(method, path, limit, data=body) as response:
                return codec.decode(dict[str, Any], await response.read(), "object")
        except REQUEST_ERRORS as error:
            raise KubernetesError(f"{path}: {format_error(error)}") from error

    @asynccontextmanager
    async def _request(
        self, method: str, path: str, limit: aiohttp.ClientTimeout, **content: Any
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        headers = {
            # The kubelet renews the token in its file long before the old one ends.
            "Authorization": f"Bearer {self._token.read_text().strip()}",
            "Content-Type": "application/merge-patch+json" if method == "PATCH" else "application/json",
        }
        # An event carries a whole object on one line, which the buffer limits: a large pod is some 20 KiB.
        content |= {"headers": headers, "ssl": self._tls, "timeout": limit, "read_bufsize": 2**20}
        async with self._session.request(method, self._url + path, **content) as response:
            if response.status not in (200, 201):
                raise KubernetesError(f"{response.url.path}: {response.status} {response.reason}", response.status)
            yield response
