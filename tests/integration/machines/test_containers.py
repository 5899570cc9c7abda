"""Docker's errors as a person sees them: a sentence with a remedy, whatever call fails."""

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from runner.errors import MachineError
from runner.machines.containers import Container, Docker

HOST = Container("4ddc", "node-1", Path("/src"), IPv4Address("172.17.8.31"), True, False, True, 2200)  # noqa: FBT003 - a record


class Daemon(http.server.BaseHTTPRequestHandler):
    """A Docker that answers a ping, and refuses everything else or hangs up."""

    status = 0

    def _answer(self) -> None:
        if self.path.endswith(("/version", "/_ping")):
            self._send(200, {"ApiVersion": "1.41"})
        elif self.status:
            self._send(self.status, {"message": "removal of container 4ddc is already in progress"})
        else:
            self.close_connection = True

    def _send(self, status: int, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_DELETE = _answer  # noqa: N815 - the names that the base class looks for

    def log_message(self, *_: object) -> None:
        """Be silent."""


@pytest.fixture(params=[0, 409, 500])
def docker(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Docker]:
    handler = type("Handler", (Daemon,), {"status": request.param})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{server.server_address[1]}")
        with Docker() as client:
            yield client
        server.shutdown()


CALLS: dict[str, Callable[[Docker], object]] = {
    "containers": lambda docker: docker.containers(),
    "resume": lambda docker: docker.resume(HOST),
    "stop": lambda docker: docker.stop(HOST),
    "remove": lambda docker: docker.remove(HOST),
    "networks": lambda docker: docker.networks(),
    "remove_network": lambda docker: docker.remove_network("vagrant_network"),
    "info": lambda docker: docker.info(),
}


@pytest.mark.parametrize("call", CALLS)
def test_every_call_that_fails_is_an_error_with_a_remedy(docker: Docker, call: str) -> None:
    with pytest.raises(MachineError, match="Docker does not") as caught:
        CALLS[call](docker)
    assert "make doctor" in caught.value.remedy
