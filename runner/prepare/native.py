"""The libraries of native bundles: compiled by this machine's gcc, so that no image needs a compiler."""

from collections.abc import Mapping
from pathlib import Path

from runner.errors import PrepareError
from runner.events import Progress, Report
from runner.prepare.cache import Recipe, tree_digest
from runner.prepare.sources import Source
from runner.prepare.work import CommandError, Work

# Where the bundle looks for it, beside its own files.
LIBRARY = "native.so"

WARNINGS = ("-std=c17", "-Wall", "-Wextra", "-Wpedantic", "-Werror")
_FLAGS = (*WARNINGS, "-O2", "-fvisibility=hidden", "-shared", "-fPIC")


def bundles(directory: Path) -> dict[str, dict[str, Path]]:
    """The C files of every bundle below a directory that has some, by the bundle's directory and their names."""
    found: dict[str, dict[str, Path]] = {}
    for path in sorted(directory.glob("*/*.[ch]")):
        found.setdefault(path.parent.name, {})[path.name] = path
    return found


def recipe(bundle: str, files: Mapping[str, Path]) -> Recipe:
    """What determines a bundle's library."""
    return Recipe("native", f"{bundle} (C)", {"files": tree_digest(files), "flags": list(_FLAGS)})


def build(item: str, files: Mapping[str, Path], work: Work, report: Report) -> Source:
    """Compile a bundle's C files into its library."""

    def take(scratch: Path) -> dict[str, Path]:
        report(Progress("prepare", item, "compile"))
        target = scratch / LIBRARY
        sources = [str(path) for name, path in files.items() if name.endswith(".c")]
        try:
            work.run(["gcc", *_FLAGS, "-o", str(target), *sources])
        except FileNotFoundError as error:
            raise PrepareError("gcc is not installed.", remedy="Run `make site` or `doctor --fix`.") from error
        except CommandError as error:
            raise PrepareError(
                f"{item} could not be compiled.", remedy="Mend what gcc says below.", details=error.output
            ) from error
        return {LIBRARY: target}

    return take
