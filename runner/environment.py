"""The environment of the runner and of every program that it starts: what a person has exported changes neither.

`python -m runner` continues in it before anything else, so that it holds for Python itself and for the clients of
Docker, Kubernetes and HTTP as well.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from runner.state import CHECKOUT

# The person, terminal and daemons; places of files; what a company's network asks of downloads; and what measures the
# tests' own processes.
_KEPT = """
    HOME USER LOGNAME TERM NO_COLOR EDITOR KUBE_EDITOR SSH_AUTH_SOCK
    XDG_CACHE_HOME VAGRANT_HOME GOPATH GOCACHE GOMODCACHE
    DOCKER_HOST DOCKER_CONTEXT DOCKER_CONFIG DOCKER_TLS_VERIFY DOCKER_CERT_PATH
    SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE GOPROXY GOSUMDB
    PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_FIND_LINKS PIP_TRUSTED_HOST PIP_PROXY PIP_CERT PIP_CLIENT_CERT
    PIP_DEFAULT_TIMEOUT PIP_CACHE_DIR PIP_CONFIG_FILE
    COVERAGE_PROCESS_CONFIG
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
_PROXIES = [name for scheme in ("http", "https", "all") for name in (f"{scheme}_proxy", f"{scheme}_proxy".upper())]
_NOT_PROXIED = "localhost,127.0.0.1,127.0.0.0/8,::1"
# A socket's path, which has at most 107 characters, consists of this directory's and a name of about thirty.
_LONGEST_TMPDIR = 70


def of_programs(given: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment of a program; it has no proxy, since most of them talk to this machine and its hosts."""
    kept = {name: given[name] for name in _KEPT.split() if given.get(name)}
    if _is_usable(directory := given.get("TMPDIR", "")):
        kept["TMPDIR"] = directory
    # This virtual environment's programs, also when it is not activated; a person's own have no sbin.
    path = [str(Path(sys.executable).parent), *given.get("PATH", os.defpath).split(os.pathsep)]
    path += [place for place in ("/usr/local/sbin", "/usr/sbin", "/sbin") if place not in path]
    kept["PATH"] = os.pathsep.join(dict.fromkeys(place for place in path if place.startswith("/")))
    return {"HOME": str(Path.home()), **kept, **_SET}


def of_downloads(given: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment of a program that downloads: with a person's proxies, but for loopback addresses."""
    proxies = {name: given[name] for name in _PROXIES if given.get(name)}
    if proxies:
        others = given.get("no_proxy") or given.get("NO_PROXY") or ""
        listed = dict.fromkeys([*others.split(","), *_NOT_PROXIED.split(",")])
        proxies["no_proxy"] = proxies["NO_PROXY"] = ",".join(filter(None, listed))
    return of_programs(given) | proxies


def without_proxies() -> dict[str, str]:
    """Return the variables that take the proxies from a program that gets this process's environment."""
    return {name: "" for name in _PROXIES if name in os.environ}


def enter(*arguments: str) -> None:
    """Continue in this environment, as `python ARGUMENT...`; the second call, which that makes, does nothing more.

    It is the virtual environment's Python, if there is one.
    """
    variables = of_downloads()
    if not sys.flags.ignore_environment:
        own = CHECKOUT / ".venv" / "bin" / "python"
        # The second call is known by -E and not by the variables: a Python may set some whenever it starts.
        command = [str(own) if own.exists() else sys.executable, "-E", *arguments]
        os.execve(command[0], command, variables)  # noqa: S606 - no shell is wanted
    os.environ.clear()
    os.environ.update(variables)
    os.umask(0o022)  # what is private has a mode of its own


def _is_usable(directory: str) -> bool:
    is_short = directory.startswith("/") and len(os.fsencode(directory)) <= _LONGEST_TMPDIR
    return is_short and os.access(directory, os.W_OK | os.X_OK)
