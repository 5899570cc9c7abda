"""The environment of programs: what passes, what is set, and which addresses a proxy is asked for."""

from pathlib import Path

import pytest
from requests.utils import get_environ_proxies

from runner import environment
from tests.support import hostile

PROXIES = {"HTTP_PROXY": "http://proxy:3128", "https_proxy": "http://proxy:3128", "NO_PROXY": "intranet"}


def test_only_what_is_listed_passes(tmp_path: Path) -> None:
    given = {"DOCKER_HOST": "unix:///run/other.sock", "PIP_INDEX_URL": "https://intranet/simple", "INAETICS_ADMIN": "a"}
    made = environment.of_programs(hostile.environment(tmp_path) | given)
    assert made.items() >= {**given, "HOME": str(tmp_path / "home"), "LC_ALL": "C.UTF-8", "TZ": "UTC"}.items()
    assert made.keys() - environment.of_programs({}).keys() == {*given, "SSH_AUTH_SOCK", "XDG_CACHE_HOME"}


def test_the_second_time_changes_nothing(tmp_path: Path) -> None:
    once = environment.of_downloads(hostile.environment(tmp_path) | PROXIES)
    assert environment.of_downloads(once) == once


def test_programs_of_the_virtual_environment_come_first_and_those_of_root_last() -> None:
    path = environment.of_programs({"PATH": "/usr/bin:bin::.:/sbin:/usr/bin"})["PATH"].split(":")
    assert path[1:] == ["/usr/bin", "/sbin", "/usr/sbin"]
    assert Path(path[0], "python").exists()


@pytest.mark.parametrize("directory", ["a" * 80, "not/absolute", "missing"])
def test_a_temporary_directory_that_sockets_or_files_cannot_be_in_is_not_used(tmp_path: Path, directory: str) -> None:
    (tmp_path / ("a" * 80)).mkdir()
    place = directory if "/" in directory else str(tmp_path / directory)
    assert "TMPDIR" not in environment.of_programs({"TMPDIR": place})
    assert environment.of_programs({"TMPDIR": str(tmp_path.parent)})["TMPDIR"] == str(tmp_path.parent)


def test_an_empty_variable_is_none() -> None:
    assert environment.of_programs({"HOME": ""})["HOME"] == str(Path.home())
    assert "DOCKER_HOST" not in environment.of_programs({"DOCKER_HOST": ""})


def test_downloads_alone_have_a_proxy() -> None:
    assert "proxy" not in " ".join(environment.of_programs(PROXIES)).lower()
    assert environment.of_downloads(PROXIES).items() >= {("HTTP_PROXY", "http://proxy:3128")}


@pytest.mark.parametrize(
    ("url", "is_asked"),
    [
        ("https://github.com/", True),
        ("http://127.0.0.1:8000/", False),
        ("http://127.0.0.3/", False),
        ("http://localhost:8000/", False),
        ("http://[::1]:8000/", False),
        ("http://intranet/", False),
    ],
)
def test_a_proxy_is_not_asked_for_this_machine(monkeypatch: pytest.MonkeyPatch, url: str, *, is_asked: bool) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", *PROXIES):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.of_downloads(PROXIES | {"HTTPS_PROXY": "http://proxy:3128"}).items():
        monkeypatch.setenv(name, value)
    assert bool(get_environ_proxies(url)) == is_asked
