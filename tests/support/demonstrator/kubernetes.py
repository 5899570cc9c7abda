"""A stand-in for the Kubernetes API: the few requests that the demonstrator makes of it, over real HTTP.

As there, a change raises the object's and the collection's version, a change of an old version is
refused with 409, and what does not exist with 404.
"""

import asyncio
import base64
import json
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

TOKEN = "a-token"  # noqa: S105 - of nobody

Object = dict[str, Any]

# As there: a ConfigMap holds 1 MiB, a request 3 MiB.
_DATA_LIMIT = 2**20
_OBJECT_LIMIT = 3 * 2**20

_NODES = "/api/v1/nodes"
_PODS = "/api/v1/namespaces/default/pods"
_CONTROLLERS = "/api/v1/namespaces/default/replicationcontrollers"
_CONFIG_MAPS = "/api/v1/namespaces/inaetics-provisioning/configmaps"
_LEASE = "/apis/coordination.k8s.io/v1/namespaces/default/leases/inaetics-coordinator"


@dataclass
class Collection:
    """Objects that can be listed and watched."""

    objects: dict[str, Object] = field(default_factory=dict)
    version: int = 1
    watchers: set[asyncio.Queue[Object]] = field(default_factory=set)

    def put(self, name: str, item: Object) -> None:
        kind = "MODIFIED" if name in self.objects else "ADDED"
        self.objects[name] = item
        self.tell(kind, item)

    def tell(self, kind: str, item: Object) -> None:
        self.version += 1
        for watcher in self.watchers:
            watcher.put_nowait({"type": kind, "object": item})

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """A list, or the events since one."""
        if "watch" not in request.query:
            metadata = {"resourceVersion": str(self.version)}
            return web.json_response({"metadata": metadata, "items": list(self.objects.values())})
        if request.query["resourceVersion"] != str(self.version):
            gone = {"type": "ERROR", "object": {"code": 410, "message": "too old"}}
            return web.Response(text=json.dumps(gone) + "\n")
        events: asyncio.Queue[Object] = asyncio.Queue()
        self.watchers.add(events)
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(json.dumps(await events.get()).encode() + b"\n")
        finally:
            self.watchers.discard(events)


class KubernetesApi:
    """Pods, nodes, replication controllers, one Lease and ConfigMaps, for clients with the token."""

    TOKEN = TOKEN

    def __init__(self) -> None:
        self.pods = Collection()
        self.nodes = Collection()
        self.controllers = Collection()
        self.lease: Object | None = None
        self.scaled: list[tuple[str, int]] = []
        self.config_maps: dict[str, Object] = {}
        self.written = 0

    def make_app(self) -> web.Application:
        app = web.Application(middlewares=[_authenticate], client_max_size=_OBJECT_LIMIT)
        app.router.add_get(_PODS, self.pods.answer)
        app.router.add_get(_NODES, self.nodes.answer)
        app.router.add_get(_CONTROLLERS, self.controllers.answer)
        app.router.add_patch(_CONTROLLERS + "/{name}/scale", self._scale)
        app.router.add_post(_CONFIG_MAPS, self._create_config_map)
        app.router.add_get(_CONFIG_MAPS + "/{name}", self._read_config_map)
        app.router.add_put(_CONFIG_MAPS + "/{name}", self._replace_config_map)
        app.router.add_delete(_CONFIG_MAPS + "/{name}", self._delete_config_map)
        app.router.add_get(_LEASE, self._read_lease)
        app.router.add_patch(_LEASE, self._patch_lease)
        return app

    def add_pod(self, name: str, address: str, node: str, port: int) -> None:
        container = f"{name.partition('-controller')[0]}-container"
        containers = [{"name": container, "ports": [{"name": "services", "containerPort": port}]}]
        running = [{"name": container, "state": {"running": {}}, "lastState": {}, "restartCount": 0}]
        conditions = [{"type": "Ready", "status": "True"}]
        pod = {
            "metadata": {"name": name},
            "spec": {"nodeName": node, "containers": containers},
            "status": {
                "phase": "Running",
                "podIP": address,
                "conditions": conditions,
                "containerStatuses": running,
            },
        }
        self.pods.put(name, pod)

    def terminate_pod(self, name: str) -> None:
        """Say that a pod is to end, while it still runs."""
        pod = self.pods.objects[name]
        self.pods.put(name, {**pod, "metadata": {**pod["metadata"], "deletionTimestamp": "2025-10-09T08:53:20Z"}})

    def remove_pod(self, name: str) -> None:
        self.pods.tell("DELETED", self.pods.objects.pop(name))

    def add_node(self, name: str, *, ready: bool = True) -> None:
        """Add a node, or say what became of it."""
        conditions = [{"type": "Ready", "status": "True" if ready else "Unknown"}]
        self.nodes.put(name, {"metadata": {"name": name}, "status": {"conditions": conditions}})

    def add_controller(self, name: str, requested: int, ready: int) -> None:
        """Add a replication controller, or say what became of it."""
        status = {"replicas": ready, "readyReplicas": ready}
        self.controllers.put(name, {"metadata": {"name": name}, "spec": {"replicas": requested}, "status": status})

    def requested(self, name: str) -> int:
        return int(self.controllers.objects[name]["spec"]["replicas"])

    def add_lease(self) -> None:
        """The Lease as the role makes it: held by nobody."""
        self.lease = {"metadata": {"name": "inaetics-coordinator", "resourceVersion": "1"}}

    async def _create_config_map(self, request: web.Request) -> web.Response:
        item: Object = await request.json()
        if item["metadata"]["name"] in self.config_maps:
            raise web.HTTPConflict
        return web.json_response(self._write(item), status=201)

    async def _read_config_map(self, request: web.Request) -> web.Response:
        return web.json_response(self._config_map(request))

    async def _replace_config_map(self, request: web.Request) -> web.Response:
        before, item = self._config_map(request), await request.json()
        version = before["metadata"]["resourceVersion"]
        if item["metadata"].get("resourceVersion", version) != version:
            raise web.HTTPConflict
        return web.json_response(self._write(item))

    async def _delete_config_map(self, request: web.Request) -> web.Response:
        del self.config_maps[self._config_map(request)["metadata"]["name"]]
        return web.json_response({"kind": "Status", "status": "Success"})

    def _config_map(self, request: web.Request) -> Object:
        try:
            return self.config_maps[request.match_info["name"]]
        except KeyError:
            raise web.HTTPNotFound from None

    def _write(self, item: Object) -> Object:
        held = [*item.get("data", {}).values(), *map(base64.b64decode, item.get("binaryData", {}).values())]
        if sum(map(len, held)) > _DATA_LIMIT:
            raise web.HTTPUnprocessableEntity
        self.written += 1
        item["metadata"]["resourceVersion"] = str(self.written)
        self.config_maps[item["metadata"]["name"]] = item
        return item

    async def _scale(self, request: web.Request) -> web.Response:
        name, change = request.match_info["name"], await _change(request)
        if name not in self.controllers.objects:
            raise web.HTTPNotFound
        replicas = change["spec"]["replicas"]
        self.scaled.append((name, replicas))
        before = self.controllers.objects[name]
        self.controllers.put(name, {**before, "spec": {"replicas": replicas}})
        return web.json_response({"spec": {"replicas": replicas}})

    async def _read_lease(self, request: web.Request) -> web.Response:
        if not self.lease:
            raise web.HTTPNotFound
        return web.json_response(self.lease)

    async def _patch_lease(self, request: web.Request) -> web.Response:
        if not self.lease:
            raise web.HTTPNotFound
        change = await _change(request)
        version = self.lease["metadata"]["resourceVersion"]
        if change.get("metadata", {}).get("resourceVersion", version) != version:
            raise web.HTTPConflict
        self.lease = merge(self.lease, change)
        self.lease["metadata"]["resourceVersion"] = str(int(version) + 1)
        return web.json_response(self.lease)


@web.middleware
async def _authenticate(request: web.Request, handler: Any) -> web.StreamResponse:
    if request.headers.get("Authorization") != f"Bearer {TOKEN}":
        raise web.HTTPUnauthorized
    response: web.StreamResponse = await handler(request)
    return response


async def _change(request: web.Request) -> Object:
    if request.content_type != "application/merge-patch+json":
        raise web.HTTPUnsupportedMediaType
    change: Object = await request.json()
    return change


def merge(item: Object, change: Object) -> Object:
    """A JSON merge patch, without removals."""
    merged = dict(item)
    for key, value in change.items():
        merged[key] = merge(merged.get(key, {}), value) if isinstance(value, dict) else value
    return merged
