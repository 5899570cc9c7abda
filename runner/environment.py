"""The environment of the runner and of every program that it starts: what a person has exported changes neither.

The runner continues in it before anything else, so that it holds for Python and the clients inside the runner as well.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from runner.state import CHECKOUT

# The person, terminal and daemons; places of files; what a company's network asks of downloads; and what measures the
# tests' own processes. INAETICS_* are for a person's inventory, which may read them.
_KEPT = """
    HOME USER LOGNAME TERM NO_COLOR EDITOR KUBE_EDITOR SSH_AUTH_SOCK XDG_CACHE_HOME VAGRANT_HOME
    DOCKER_HOST DOCKER_CONTEXT DOCKER_CONFIG DOCKER_TLS_VERIFY DOCKER_CERT_PATH GOPATH GOCACHE GOMODCACHE GOPROXY
    GOSUMDB SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE COVERAGE_PROCESS_CONFIG PIP_INDEX_URL
    PIP_EXTRA_INDEX_URL PIP_FIND_LINKS PIP_TRUSTED_HOST PIP_PROXY PIP_CERT PIP_CLIENT_CERT PIP_DEFAULT_TIMEOUT
    PIP_CACHE_DIR PIP_CONFIG_FILE ANSIBLE_VAULT_PASSWORD_FILE
"""
_SET = {
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "SHELL": "/bin/sh",
    "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
    "ANSIBLE_NOCOLOR": "1",
    # ansible-runner switches the check of ssh host keys off unless it is told otherwise.
    "ANSIBLE_HOST_KEY_CHECKING": "True",
    # The registry would look for a collector of traces.
    "OTEL_TRACES_EXPORTER": "none",
    # pip.conf may say `user = true`, which no virtual environment allows.
    "PIP_USER": "0",
    # Not the plugins that happen to be installed
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    # Vagrant would ask its publisher for a newer version.
    "VAGRANT_CHECKPOINT_DISABLE": "1",
}
PROXIES = [name for scheme in ("http", "https", "all") for name in (f"{scheme}_proxy", f"{scheme}_proxy".upper())]
_NOT_PROXIED = "localhost,127.0.0.1,127.0.0.0/8,::1,"
# A socket's path, which has at most 107 characters, consists of this directory's and a name of about thirty.
_LONGEST_TMPDIR = 70


def of_programs(given: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment of a program; it has no proxy, since most of them talk to this machine and its hosts."""
    names = [*_KEPT.split(), *(name for name in given if name.startswith("INAETICS_"))]
    kept = {name: given[name] for name in names if given.get(name)}
    place = given.get("TMPDIR", "")
    if place.startswith("/") and len(os.fsencode(place)) <= _LONGEST_TMPDIR and os.access(place, os.W_OK | os.X_OK):
        kept["TMPDIR"] = place
    # This virtual environment's programs, also when it is not activated; a person's own have no sbin.
    path = [str(Path(sys.executable).parent), *given.get("PATH", os.defpath).split(":"), "/usr/sbin", "/sbin"]
    kept["PATH"] = ":".join(dict.fromkeys(place for place in path if place.startswith("/")))
    return {"HOME": str(Path.home()), **kept, **_SET}


def of_downloads(given: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment of a program that downloads: with a person's proxies, but for loopback addresses."""
    others = (given.get("no_proxy") or given.get("NO_PROXY") or "").removeprefix(_NOT_PROXIED)
    proxies = {name: given[name] for name in PROXIES if given.get(name)}
    return of_programs(given) | proxies | dict.fromkeys(("no_proxy", "NO_PROXY"), _NOT_PROXIED + others)


def enter(*arguments: str) -> None:
    """Continue in this environment as `python ARGUMENT...`, the virtual environment's if there is one, unless done."""
    # It is known by -E and not by the variables: a Python may set some whenever it starts.
    if not sys.flags.ignore_environment:
        own = CHECKOUT / ".venv" / "bin" / "python"
        switches = ["-E", "-B"] if sys.dont_write_bytecode else ["-E"]
        command = [str(own) if own.exists() else sys.executable, *switches, *arguments]
        os.execve(command[0], command, of_downloads())  # noqa: S606 - no shell is wanted
    os.umask(0o022)  # what is private has a mode of its own
