"""The libraries of native bundles, compiled by this machine's gcc so that no image needs a compiler."""

from collections.abc import Mapping
from pathlib import Path

from runner.events import Progress, Report
from runner.prepare.cache import CacheKey, tree_digest
from runner.prepare.tools import run_tool
from runner.process import JobRunner

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


def cache_key(bundle: str, files: Mapping[str, Path]) -> CacheKey:
    """Return the cache key of a bundle's library."""
    return CacheKey("native", f"{bundle} (C)", {"files": tree_digest(files), "flags": list(_FLAGS)})


def build(item: str, files: Mapping[str, Path], jobs: JobRunner, report: Report, scratch: Path) -> dict[str, Path]:
    """Compile a bundle's C files into its library."""
    report(Progress("prepare", item, "compile"))
    target = scratch / LIBRARY
    sources = [str(path) for name, path in files.items() if name.endswith(".c")]
    run_tool(jobs, ["gcc", *_FLAGS, "-o", str(target), *sources], f"{item} could not be compiled.")
    return {LIBRARY: target}
