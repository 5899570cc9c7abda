"""A small client of the registry: enough to push an image that is made from one that is there."""

import hashlib
import json
from pathlib import Path
from typing import Any

import requests

TIMEOUT = 10.0
MANIFESTS = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"


class Registry:
    """The cluster's registry as the workstation speaks to it: over TLS, by its own authority."""

    def __init__(self, address: str, authority: Path) -> None:
        self._url = f"https://{address}/v2"
        self._session = requests.Session()
        self._session.trust_env = False  # neither a proxy nor another authority
        self._session.verify = str(authority)

    def derive(self, source: tuple[str, str], target: tuple[str, str], changes: dict[str, Any]) -> str:
        """Push an image that has the layers of another and a changed configuration; returns its digest."""
        (base, tag), (name, new_tag) = source, target
        manifest = self._get(f"{base}/manifests/{tag}", MANIFESTS).json()
        image = self._get(f"{base}/blobs/{manifest['config']['digest']}").json()
        for layer in manifest["layers"]:
            self._send("POST", f"{name}/blobs/uploads/", params={"mount": layer["digest"], "from": base})
        image["config"] = {**image.get("config", {}), **changes}
        manifest["config"] |= self._upload(name, json.dumps(image).encode())
        headers = {"Content-Type": manifest["mediaType"]}
        pushed = self._send("PUT", f"{name}/manifests/{new_tag}", data=json.dumps(manifest).encode(), headers=headers)
        return str(pushed.headers["Docker-Content-Digest"])

    def delete(self, name: str, digest: str) -> None:
        """Take an image away again; its layers stay until the registry is swept."""
        self._send("DELETE", f"{name}/manifests/{digest}")

    def close(self) -> None:
        """End the connection."""
        self._session.close()

    def _upload(self, name: str, blob: bytes) -> dict[str, Any]:
        digest = f"sha256:{hashlib.sha256(blob).hexdigest()}"
        begun = self._send("POST", f"{name}/blobs/uploads/")
        place = begun.headers["Location"].removeprefix(self._url).lstrip("/")
        headers = {"Content-Type": "application/octet-stream"}
        self._send("PUT", place, params={"digest": digest}, data=blob, headers=headers)
        return {"digest": digest, "size": len(blob)}

    def _get(self, path: str, accept: str = "*/*") -> requests.Response:
        return self._send("GET", path, headers={"Accept": accept})

    def _send(self, method: str, path: str, **options: Any) -> requests.Response:
        answer = self._session.request(method, f"{self._url}/{path}", timeout=TIMEOUT, **options)
        answer.raise_for_status()
        return answer
