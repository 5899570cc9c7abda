"""The registry's storage: made by pushing to the cluster's own registry program on loopback."""

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from runner.errors import PrepareError

_START_SECONDS = 15.0
_POLL_SECONDS = 0.05


@contextmanager
def serve(program: Path, storage: Path, scratch: Path) -> Iterator[str]:
    """Run the registry on a free port of loopback and yield its address."""
    address = f"127.0.0.1:{_free_port()}"
    configuration = scratch / "registry.json"  # JSON is YAML
    settings = {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(storage)}},
        "http": {"addr": address},
    }
    configuration.write_text(json.dumps(settings), "utf-8")
    log = scratch / "registry.log"
    environment = os.environ | {"OTEL_TRACES_EXPORTER": "none"}
    with log.open("w") as output:
        process = subprocess.Popen(
            [str(program), "serve", str(configuration)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
        try:
            _await(process, address, log)
            yield address
        finally:
            process.terminate()
            process.wait()


def manifest_digest(storage: Path, repository: str) -> str:
    """The digest of the manifest that a tag points to ("name:tag"), as the storage has it."""
    name, _, tag = repository.rpartition(":")
    link = storage / "docker/registry/v2/repositories" / name / "_manifests/tags" / tag / "current/link"
    return link.read_text("ascii").strip()


def _await(process: "subprocess.Popen[bytes]", address: str, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if requests.get(f"http://{address}/v2/", timeout=1).ok:
                return
        except requests.ConnectionError:
            time.sleep(_POLL_SECONDS)
    raise PrepareError("The registry did not start.", details=log.read_text("utf-8", errors="replace")[-2000:])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
