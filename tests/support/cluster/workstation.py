"""Access of the tests beside the API: commands on hosts, and web pages."""

import urllib.request
from typing import Any

TIMEOUT = 5.0

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Shell:
    """Commands on one host."""

    def __init__(self, host: Any) -> None:
        self._host = host

    def root(self, command: str) -> str:
        """Return the output of a command as root; it must succeed."""
        return str(self._host.check_output(command))

    def core(self, command: str) -> str:
        """Return the output of a command in the login shell of user core; it must succeed."""
        return str(self._host.check_output("runuser --login core --command=%s", command))


def page(url: str) -> str:
    """The body of a web page, fetched by the workstation."""
    with _direct.open(url, timeout=TIMEOUT) as answer:
        return str(answer.read(), "utf-8")
