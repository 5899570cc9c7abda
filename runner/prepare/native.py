"""The libraries of native bundles, compiled by this machine's gcc so that no image needs a compiler."""

from collections.abc import Mapping
from pathlib import Path

from runner.prepare.artifacts import Artifact, Work
from runner.prepare.cache import CacheKey, tree_digest

# Where the bundle looks for it, beside its own files.
LIBRARY = "native.so"

WARNINGS = ("-std=c17", "-Wall", "-Wextra", "-Wpedantic", "-Werror")
_FLAGS = (*WARNINGS, "-O2", "-fvisibility=hidden", "-shared", "-fPIC")


def bundles(directory: Path) -> dict[str, dict[str, Path]]:
    """Return the C files of every bundle below a directory that has some: bundle directory → file name → path."""
    found: dict[str, dict[str, Path]] = {}
    for path in sorted(directory.glob("*/*.[ch]")):
        found.setdefault(path.parent.name, {})[path.name] = path
    return found


def library(bundle: str, files: Mapping[str, Path], work: Work) -> Artifact:
    """Describe a bundle's library, which is compiled from its C files."""
    key = CacheKey("native", f"{bundle} (C)", {"files": tree_digest(files), "flags": list(_FLAGS)})

    def compile_(scratch: Path) -> dict[str, Path]:
        work.progress(key.name, "compile")
        target = scratch / LIBRARY
        sources = [str(path) for name, path in files.items() if name.endswith(".c")]
        work.run(["gcc", *_FLAGS, "-o", str(target), *sources], f"{key.name} could not be compiled.")
        return {LIBRARY: target}

    return Artifact(key, [compile_])
