"""The first command of all, in a checkout whose packages are there: what a person has exported does not reach it."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from runner.state import CHECKOUT
from tests.support import hostile


def bootstrap(checkout: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    (checkout / "runner").mkdir(parents=True)
    shutil.copy(CHECKOUT / "runner" / "bootstrap.sh", checkout / "runner")
    lock = b"nothing==1\n"
    (checkout / "requirements.lock").write_bytes(lock)
    (checkout / ".venv" / "bin").mkdir(parents=True)
    (checkout / ".venv" / "bin" / "python").symlink_to(sys.executable)
    stamp = f"{hashlib.sha256(lock).hexdigest()}  requirements.lock\n"
    (checkout / ".venv" / "installed").write_text(stamp, "utf-8")
    return subprocess.run(
        ["runner/bootstrap.sh", *command],
        cwd=checkout,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_works_whatever_is_exported(tmp_path: Path) -> None:
    # Where CDPATH would lead
    (tmp_path / "elsewhere" / "runner").mkdir(parents=True)
    variables = hostile.environment(tmp_path / "hostile") | {
        "PYTHONHOME": "/nowhere",
        "PIP_INDEX_URL": "https://intranet/simple",
        "CDPATH": str(tmp_path / "elsewhere"),
    }
    done = bootstrap(tmp_path / "it's 100% “über”", "--", "sh", "-c", "pwd; env", **variables)
    assert done.returncode == 0, done.stderr
    place, *lines = done.stdout.splitlines()
    assert place == str(tmp_path / "it's 100% “über”")
    passed = dict(line.partition("=")[::2] for line in lines)
    assert {name: value for name, value in passed.items() if name in ("PIP_USER", "PIP_INDEX_URL", "LC_ALL")} == {
        "PIP_USER": "0",
        "PIP_INDEX_URL": "https://intranet/simple",
        "LC_ALL": "C.UTF-8",
    }
    assert [name for name in passed if name.startswith("PYTHON") or name in ("PIP_TARGET", "CDPATH")] == []


def test_a_docker_that_somebody_named_is_not_replaced_by_another(tmp_path: Path) -> None:
    done = bootstrap(tmp_path / "checkout", DOCKER_HOST="tcp://127.0.0.1:1")
    assert (done.returncode, done.stdout) == (4, "")
    assert "no Docker answers at DOCKER_HOST=tcp://127.0.0.1:1" in done.stderr


def test_a_place_that_cannot_have_a_virtual_environment_is_named(tmp_path: Path) -> None:
    done = bootstrap(tmp_path / "a:b")
    assert (done.returncode, done.stdout) == (4, "")
    assert f"move this checkout from {tmp_path / 'a:b'}" in done.stderr


def test_python_is_a_command_also_where_the_environment_is_not_active(tmp_path: Path) -> None:
    """A Debian 12 has python3 alone; nothing is installed here: the stand-ins of id and sudo see to that."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for program in Path("/usr/bin").iterdir():
        if program.name not in ("python", "id", "sudo"):
            (programs / program.name).symlink_to(program)
    asked = tmp_path / "asked"
    for name, does in {"id": "echo 1000", "sudo": f'echo "$@" >>{asked}', "apt-get": ":"}.items():
        (programs / name).unlink(missing_ok=True)
        (programs / name).write_text(f"#!/bin/sh\n{does}\n", "utf-8")
        (programs / name).chmod(0o755)
    checkout = tmp_path / "checkout"
    path = f"{checkout}/.venv/bin:{programs}"
    done = bootstrap(checkout, PATH=path, DOCKER_HOST="tcp://127.0.0.1:1")
    assert "installing by apt" in done.stdout
    assert "install" in asked.read_text("utf-8")
    assert "python-is-python3" in asked.read_text("utf-8")
