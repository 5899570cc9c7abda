"""Requests that nobody ought to make, as they travel. Each has to be refused, and nothing else may happen.

The canary in some of them stands for a credential: it must turn up in no log.
"""

import inspect
import json
from collections.abc import Sequence

Request = tuple[str, int]  # what is sent, and how many bytes of nothing in particular after it

END = "\r\n\r\n"
FIELDS = "HTTP/1.1\r\nHost: demonstrator\r\nConnection: close"
JSON = "Content-Type: application/json"
DEEP = "[" * 900
LARGE = 2 * 2**20
# A little more than a line may have: its last bytes are those that are too many, so that none is on its way when the
# server hangs up, which would take its answer along.
LINE = 8_300


def status(address: str, port: int, sent: str, filling: int) -> int:
    """The status that a request gets; 0 for none. It also runs in pods, so it brings along what it needs."""
    import contextlib
    import socket

    with socket.create_connection((address, port), timeout=10) as connection:
        # Who is told too much may hang up early: what counts is the answer.
        with contextlib.suppress(OSError):
            connection.sendall(sent.encode() + b"x" * filling)
        words = connection.makefile("rb").readline().split()
    return int(words[1]) if len(words) > 1 else 0


def from_pod(address: str, port: int, requests: Sequence[Request]) -> str:
    """The lines of Python that make these requests in a pod and print the statuses."""
    calls = f"print(json.dumps([status({address!r}, {port}, *one) for one in json.loads({json.dumps(requests)!r})]))"
    return f"import json\n\n{inspect.getsource(status)}\n{calls}"


def anywhere(canary: str) -> list[Request]:
    """Return requests that every port has to refuse."""
    return [
        (f"GARBAGE{END}", 0),
        (f"GET / {FIELDS}\r\nno colon{END}", 0),
        (f"GET / {FIELDS}\r\nAuthorization: Bearer {canary}\x01{END}", 0),
        (f"GET / {FIELDS}\r\nAuthorization : Bearer {canary}{END}", 0),
        (f"GET / {FIELDS}\r\nX-Filler: ", LINE),
        (f"POST / {FIELDS}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked{END}0{END}", 0),
        (f"POST / {FIELDS}\r\nContent-Length: -1{END}", 0),
        (f"GET /../../../../etc/passwd {FIELDS}{END}", 0),
        (f"GET /%00%ff {FIELDS}{END}", 0),
        (f"DELETE / {FIELDS}{END}", 0),
        (f"GET /nowhere?token={canary} {FIELDS}\r\nAuthorization: Bearer {canary}{END}", 0),
    ]


def of_the_page(canary: str) -> list[Request]:
    """Return requests that the coordinator has to refuse on top of that."""
    to = f"POST /coordinator/systemStats {FIELDS}"
    contents = ("not JSON", DEEP, "{}", '{"producers": true}', '{"producers": 5}', '{"processors": 8}')
    elsewhere = f"Sec-Fetch-Site: cross-site\r\nAuthorization: Bearer {canary}"
    return [
        *(body(f"{to}\r\n{JSON}", content) for content in contents),
        body(to, '{"producers": 1}'),
        body(f"{to}\r\n{JSON}\r\nOrigin: http://elsewhere.example", '{"producers": 1}'),
        body(f"{to}\r\n{JSON}\r\n{elsewhere}", '{"producers": 1}'),
        (f"{to}\r\n{JSON}\r\nContent-Length: {LARGE}{END}", LARGE),
        body(f"PUT /coordinator/utilisation {FIELDS}\r\n{JSON}", '{"preferred_utilisation": 1}'),
    ]


def of_provisioning(canary: str) -> list[Request]:
    """Return requests that the provisioning server has to refuse on top of that."""
    stranger = f"Authorization: Bearer {canary}"
    return [
        body(f"PUT /agents/intruder {FIELDS}", "not JSON"),
        body(f"PUT /agents/intruder {FIELDS}", DEEP),
        body(f"PUT /agents/{'n' * 200} {FIELDS}", "{}"),
        (f"PUT /agents/intruder {FIELDS}\r\nContent-Length: {LARGE}{END}", LARGE),
        body(f"POST /bundles {FIELDS}", "not a bundle"),
        body(f"POST /bundles {FIELDS}\r\n{stranger}", "not a bundle"),
        body(f"PUT /targets/felix_1/bundles/viewer {FIELDS}\r\n{stranger}", '{"version": "0.0.1"}'),
        body(f"POST /targets/felix_1/rollback {FIELDS}\r\n{stranger}", ""),
        (f"DELETE /targets/felix_1/bundles/viewer {FIELDS}\r\n{stranger}{END}", 0),
        (f"GET /bundles/..%2F..%2Fetc/passwd {FIELDS}{END}", 0),
    ]


def of_an_agent(number: int) -> list[Request]:
    """Return calls of the service with this number that an agent has to refuse on top of that."""
    nobodys = (
        f"{number}/inaetics.statistics/__init__",
        f"{number}/inaetics.nothing/statistics",
        "999999999/inaetics.statistics/statistics",
    )
    to = f"POST /services/{number}/inaetics.statistics/statistics {FIELDS}"
    return [
        *(body(f"POST /services/{path} {FIELDS}", "{}") for path in nobodys),
        *(body(to, content) for content in ("not JSON", DEEP, "[]", '{"unknown": 1}')),
        (f"{to}\r\nContent-Length: {LARGE}{END}", LARGE),
    ]


def body(head: str, content: str) -> Request:
    """A request with a body."""
    return f"{head}\r\nContent-Length: {len(content)}{END}{content}", 0
