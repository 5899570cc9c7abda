"""The C code: clean under the sanitizers, loadable on Debian 12, and no more visible than it has to be."""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from runner.errors import ExitCode, PrepareError
from runner.prepare import builds
from runner.prepare.artifacts import Work
from runner.prepare.cache import Cache
from runner.process import JobRunner
from tests.integration.demonstrator.conftest import BUNDLES

DRIVER = Path(__file__).parent / "c" / "queue_random.c"
DEBIAN_12 = (2, 36)
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer", "-g", "-O1")


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The queue's own sources and a program that drives them, with AddressSanitizer and UBSan."""
    program = tmp_path_factory.mktemp("driver") / "driver"
    sources = sorted((BUNDLES / "queue_celix").glob("*.c"))
    command: list[str | Path]
    command = ["gcc", *builds.WARNINGS, *SANITIZERS, f"-I{BUNDLES / 'queue_celix'}", "-o", program, DRIVER, *sources]
    subprocess.run(command, check=True)
    return program


@pytest.mark.parametrize("seed", range(8))
def test_random_operations_touch_no_memory_but_their_own(driver: Path, seed: int) -> None:
    """Out of bounds, after free, leaked or undefined: the sanitizers end the program."""
    run = subprocess.run([driver, str(seed), "20000"], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    produced, stored, refused = (int(number) for number in run.stdout.split())
    assert produced > stored > 0 < refused


@pytest.mark.parametrize("bundle", ["processor_celix", "queue_celix"])
def test_debian_12_has_all_that_a_library_asks_for(libraries: Mapping[str, Path], bundle: str) -> None:
    """A workstation may have a younger C library than the images."""
    said = subprocess.run(["objdump", "-T", libraries[bundle]], capture_output=True, text=True, check=True).stdout
    versions = [(int(major), int(minor)) for major, minor in re.findall(r"GLIBC_(\d+)\.(\d+)", said)]
    assert max(versions) <= DEBIAN_12
    needed = subprocess.run(["objdump", "-p", libraries[bundle]], capture_output=True, text=True, check=True).stdout
    assert re.findall(r"NEEDED +(\S+)", needed) == ["libc.so.6"]


@pytest.mark.parametrize("bundle", ["processor_celix", "queue_celix"])
def test_a_library_shows_what_its_header_declares(libraries: Mapping[str, Path], bundle: str) -> None:
    said = subprocess.run(["nm", "-D", "--defined-only", libraries[bundle]], capture_output=True, text=True, check=True)
    header = (BUNDLES / bundle / f"{bundle.removesuffix('_celix')}.h").read_text()
    shown = {line.split()[2] for line in said.stdout.splitlines()}
    assert shown == set(re.findall(r"\b(\w+)\([^()]*\);", header))


def test_c_that_does_not_compile_is_told_with_gccs_words(tmp_path: Path) -> None:
    """Warnings too: the run ends with the exit code of `prepare`."""
    source = tmp_path / "thing" / "thing.c"
    source.parent.mkdir()
    source.write_text("int thing(void) { int unused; return 0; }\n")
    (bundle,) = builds.native_bundles(tmp_path)
    work = Work(Cache(tmp_path / "cache"), lambda event: None, JobRunner())
    with pytest.raises(PrepareError, match=r"thing \(C\) could not be compiled") as error:
        work.provide(builds.native_library(bundle, work))
    assert "unused variable" in error.value.details
    assert error.value.exit_code == ExitCode.PREPARE


def test_a_library_is_known_by_its_sources(tmp_path: Path) -> None:
    (tmp_path / "thing.c").write_text("int thing;\n")
    work = Work(Cache(tmp_path / "cache"), lambda event: None, JobRunner())
    before = builds.native_library(tmp_path, work).key.sha256
    assert builds.native_library(tmp_path, work).key.sha256 == before
    (tmp_path / "thing.c").write_text("int thing = 1;\n")
    assert builds.native_library(tmp_path, work).key.sha256 != before
