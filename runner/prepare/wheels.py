"""The Python packages of the application images: downloaded beforehand, pinned by hash."""

import sys
from collections.abc import Mapping
from pathlib import Path

from runner.errors import PrepareError
from runner.events import Progress, Report
from runner.prepare.cache import Blob, Recipe, file_digest
from runner.prepare.sources import Source
from runner.prepare.work import CommandError, Work

# What Debian 12's C library (2.36) can load; pip takes the names as they are and derives none.
_PLATFORMS = (
    "manylinux2014_x86_64",
    *(f"manylinux_2_{minor}_x86_64" for minor in (17, 24, 26, 27, 28, 31, 34, 35, 36)),
)


def recipe(image: str, requirements: Path, python: str) -> Recipe:
    """What determines the wheels of an image."""
    return Recipe("wheels", f"{image} (wheels)", {"requirements": file_digest(requirements), "python": python})


def download(item: str, requirements: Path, python: str, work: Work, report: Report) -> Source:
    """Fetch the wheels with pip, whatever Python and C library this machine has itself."""

    def take(scratch: Path) -> dict[str, Path]:
        report(Progress("prepare", item, "download"))
        command = ["download", "--dest", str(scratch), "--require-hashes", *_for_image(python), "-r", str(requirements)]
        _pip(work, command, f"The wheels of {requirements.parent.name}/{requirements.name} could not be downloaded.")
        return {path.name: path for path in sorted(scratch.iterdir())}

    return take


def install(wheels: Mapping[str, Blob], python: str, target: Path, scratch: Path, work: Work) -> None:
    """Unpack wheels below `target` as pip does; nothing is fetched."""
    for name, blob in wheels.items():
        (scratch / name).hardlink_to(blob.path)
    files = [str(scratch / name) for name in wheels]
    command = [
        "install",
        "--no-index",
        "--no-deps",
        "--no-compile",
        "--target",
        str(target),
        *_for_image(python),
        *files,
    ]
    _pip(work, command, "The wheels in the cache could not be installed.")


def _for_image(python: str) -> list[str]:
    options = ["--only-binary=:all:", "--implementation=cp", f"--python-version={python}"]
    options += [f"--abi={abi}" for abi in (f"cp{python.replace('.', '')}", "abi3", "none")]
    return options + [f"--platform={platform}" for platform in _PLATFORMS]


def _pip(work: Work, arguments: list[str], failure: str) -> None:
    try:
        work.run([sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments])
    except CommandError as error:
        raise PrepareError(
            failure,
            remedy="Mend what pip says below; without an index, name a cache: prepare --mirror DIRECTORY_OR_URL.",
            details=error.output,
        ) from error
