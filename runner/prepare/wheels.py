"""The Python packages of the application images: downloaded beforehand, pinned by hash."""

import sys
from collections.abc import Mapping
from pathlib import Path

from runner.events import Progress, Report
from runner.prepare.cache import Blob, CacheKey, file_digest
from runner.prepare.tools import NETWORK_HINT, run_tool
from runner.process import JobRunner

# What Debian 12's C library (2.36) can load; pip takes the names as they are and derives none.
_PLATFORMS = (
    "manylinux2014_x86_64",
    *(f"manylinux_2_{minor}_x86_64" for minor in (17, 24, 26, 27, 28, 31, 34, 35, 36)),
)


def cache_key(image: str, requirements: Path, python: str) -> CacheKey:
    """Return the cache key of an image's wheels."""
    return CacheKey("wheels", f"{image} (wheels)", {"requirements": file_digest(requirements), "python": python})


def download(
    item: str, requirements: Path, python: str, jobs: JobRunner, report: Report, scratch: Path
) -> dict[str, Path]:
    """Fetch wheels for the image's Python and C library, which are not this machine's."""
    report(Progress("prepare", item, "download"))
    options = ["--dest", str(scratch), "--require-hashes", *_target_options(python), "-r", str(requirements)]
    _pip(jobs, "download", options, f"The wheels of {requirements.parent.name}/{requirements.name}: download failed.")
    return {path.name: path for path in sorted(scratch.iterdir())}


def install(wheels: Mapping[str, Blob], python: str, target: Path, scratch: Path, jobs: JobRunner) -> None:
    """Unpack wheels below `target` as pip does, without a network."""
    for name, blob in wheels.items():
        (scratch / name).hardlink_to(blob.path)
    options = ["--no-index", "--no-deps", "--no-compile", "--target", str(target), *_target_options(python)]
    _pip(jobs, "install", [*options, *(str(scratch / name) for name in wheels)], "The wheels: installation failed.")


def _target_options(python: str) -> list[str]:
    options = ["--only-binary=:all:", "--implementation=cp", f"--python-version={python}"]
    options += [f"--abi={abi}" for abi in (f"cp{python.replace('.', '')}", "abi3", "none")]
    return options + [f"--platform={platform}" for platform in _PLATFORMS]


def _pip(jobs: JobRunner, command: str, options: list[str], failure: str) -> None:
    pip = [sys.executable, "-m", "pip", command, "--quiet", "--disable-pip-version-check"]
    run_tool(jobs, [*pip, *options], failure, NETWORK_HINT)
