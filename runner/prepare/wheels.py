"""The Python packages of the application images: downloaded beforehand, pinned by hash."""

import sys
from collections.abc import Mapping
from pathlib import Path

from runner.prepare.artifacts import NETWORK_HINT, Artifact, Work
from runner.prepare.cache import CacheKey, file_digest

# What Debian 12's C library (2.36) can load; pip takes the names as they are and derives none.
_PLATFORMS = ("manylinux2014_x86_64", *(f"manylinux_2_{minor}_x86_64" for minor in range(17, 37)))


def wheels(image: str, requirements: Path, python: str, work: Work) -> Artifact:
    """Describe the wheels of an image's requirements.txt."""
    inputs = {"requirements": file_digest(requirements), "python": python}
    key = CacheKey("wheels", f"{image} (wheels)", inputs)

    def download(scratch: Path) -> dict[str, Path]:
        work.progress(key.name, "download")
        options = ["--dest", str(scratch), "--require-hashes", "-r", str(requirements)]
        _pip(work, "download", options, python, f"The wheels of {image}/{requirements.name}: download failed.")
        return {path.name: path for path in sorted(scratch.iterdir())}

    return Artifact(key, [download])


def install(wheels: Mapping[str, Path], python: str, target: Path, scratch: Path, work: Work) -> None:
    """Unpack wheels below `target` as pip does, without a network."""
    for name, blob in wheels.items():
        (scratch / name).hardlink_to(blob)
    options = ["--no-index", "--no-deps", "--no-compile", "--target", str(target)]
    _pip(
        work,
        "install",
        [*options, *(str(scratch / name) for name in wheels)],
        python,
        "The wheels: installation failed.",
    )


def _pip(work: Work, command: str, options: list[str], python: str, failure: str) -> None:
    """Run pip for the image's Python and C library, which are not this machine's."""
    pip = [sys.executable, "-m", "pip", command, "--quiet", "--disable-pip-version-check", "--only-binary=:all:"]
    pip += ["--implementation=cp", f"--python-version={python}"]
    pip += [f"--abi={abi}" for abi in (f"cp{python.replace('.', '')}", "abi3", "none")]
    pip += [f"--platform={platform}" for platform in _PLATFORMS]
    work.run([*pip, *options], failure, NETWORK_HINT)
