"""A client of the provisioning server that has the token."""

import io
import json
import zipfile
from typing import Any

import requests

from tests.support.cluster.workstation import TIMEOUT

MANIFEST = "bundle.json"


class Provisioning:
    """Changes at the server's REST interface, and what agents have reported there."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy, and no token but this one
        self._session.headers["Authorization"] = f"Bearer {token}"
        self._session.headers["Connection"] = "close"  # the next answer may be another server's

    def ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """The body of an answer; raises HTTPError when the server refuses."""
        answer = self._session.request(method, self._url + path, data=body, timeout=TIMEOUT)
        answer.raise_for_status()
        return answer.content

    def assigned(self, target: str, bundle: str) -> str:
        """The version of a bundle that a target is to run."""
        bundles = json.loads(self.ask("GET", "/targets"))[target]["bundles"]
        return next(str(one["version"]) for one in bundles if one["name"] == bundle)

    def running(self, target: str, bundle: str) -> dict[str, str]:
        """The version of a bundle that runs, for each pod of a target."""
        reports: dict[str, Any] = {
            pod: agent["report"] for pod, agent in json.loads(self.ask("GET", "/agents")).items()
        }
        return {
            pod: one["version"]
            for pod, report in reports.items()
            for one in report["bundles"]
            if report["target"] == target and (one["name"], one["state"]) == (bundle, "running")
        }


def next_version(archive: bytes) -> tuple[str, bytes]:
    """The same bundle under the next version, and that version."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(made, "w") as new:
        manifest = json.loads(old.read(MANIFEST))
        *first, last = manifest["version"].split(".")
        manifest["version"] = ".".join([*first, str(int(last) + 1)])
        for entry in old.infolist():
            changed = entry.filename == MANIFEST
            new.writestr(entry, json.dumps(manifest) if changed else old.read(entry))
    return manifest["version"], made.getvalue()
