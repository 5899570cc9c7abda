"""Root file systems made of Debian packages by mmdebstrap, as root or as an ordinary user."""

import os
import re
import subprocess
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from runner.errors import PrepareError
from runner.events import Progress, Report
from runner.prepare.cache import Recipe, tree_digest
from runner.prepare.catalogue import Debian, RootFilesystem
from runner.prepare.sources import Source
from runner.prepare.work import CommandError, Work

# Files that a build makes carry this time (9 October 2025), so that the same files are the same bytes.
EPOCH = 1760000000
_HOOKS = ("setup", "extract", "customize")
_STEP = re.compile(r"I: (running apt-get update|downloading|extracting|installing|cleaning|creating)([^.]*)")


def recipe(image: str, root: RootFilesystem, debian: Debian, directory: Path) -> Recipe:
    """What determines a root file system: the definition, not the day's package versions."""
    inputs = {
        "suite": debian.suite,
        "variant": root.variant,
        "packages": list(root.packages),
        "files": tree_digest(files_below(directory)),
        "epoch": EPOCH,
    }
    return Recipe("rootfs", f"{image} (Debian)", inputs)


def bootstrap(item: str, root: RootFilesystem, debian: Debian, directory: Path, work: Work, report: Report) -> Source:
    """Run mmdebstrap with this machine's own Debian mirrors; hooks and files lie in the image's rootfs/."""

    def take(scratch: Path) -> dict[str, Path]:
        target = scratch / "rootfs.tar"
        command = ["mmdebstrap", f"--variant={root.variant}", f"--include={','.join(root.packages)}"]
        command += [f"--dpkgopt=path-exclude=/usr/share/{useless}/*" for useless in ("doc", "info", "locale", "man")]
        overlay = directory / "files"
        if overlay.is_dir():
            pack(scratch / "files.tar", files_below(overlay))
            command.append(f"--customize-hook=tar-in {scratch}/files.tar /")
        # As text: without root, mmdebstrap runs hooks as users who may not look into this user's files.
        command += [
            f"--{hook}-hook={path.read_text('utf-8')}" for hook in _HOOKS if (path := directory / f"{hook}.sh").exists()
        ]
        command += [debian.suite, str(target), *_mirrors(debian.suite)]

        def on_line(line: str) -> None:
            if step := _STEP.match(line):
                report(Progress("prepare", item, "".join(step.groups())))

        try:
            work.run(command, env=os.environ | _proxies() | {"SOURCE_DATE_EPOCH": str(EPOCH)}, on_line=on_line)
        except FileNotFoundError as error:
            raise PrepareError("mmdebstrap is not installed.", remedy="Run `make site` or `doctor --fix`.") from error
        except CommandError as failure:
            raise PrepareError(
                f"mmdebstrap could not make {item}.",
                remedy="Mend what it says below; without a Debian mirror: prepare --mirror DIRECTORY_OR_URL.",
                details=failure.output,
            ) from failure
        return {"rootfs.tar": target}

    return take


def files_below(directory: Path) -> dict[str, Path]:
    """Every file below a directory by its relative name."""
    return {path.relative_to(directory).as_posix(): path for path in sorted(directory.rglob("*")) if path.is_file()}


def sources_below(directory: Path) -> dict[str, Path]:
    """The same without what this machine's Python compiled."""
    return {name: path for name, path in files_below(directory).items() if "__pycache__" not in path.parts}


def pack(target: Path, files: Mapping[str, Path]) -> None:
    """Write a tar of files that belong to root and have one time, whoever packs it and whenever."""
    with tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as tar:
        for directory in _directories(files):
            tar.addfile(_entry(directory, tarfile.DIRTYPE, 0o755))
        for name, path in sorted(files.items()):
            entry = _entry(name, tarfile.REGTYPE, 0o755 if os.access(path, os.X_OK) else 0o644)
            entry.size = path.stat().st_size
            with path.open("rb") as content:
                tar.addfile(entry, content)


def _entry(name: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.mtime = kind, mode, EPOCH
    return entry


def _directories(names: Iterable[str]) -> list[str]:
    parents = {str(parent) for name in names for parent in Path(name).parents}
    return sorted(parents - {"."})


def _mirrors(suite: str) -> list[str]:
    """The machine's own sources for this Debian; none where it lacks one, since mmdebstrap knows the public ones."""
    form = "$(RELEASE) $(REPO_URI) $(COMPONENT) $(ORIGIN)"
    targets = _ask("apt-get", "indextargets", "--format", form, "Created-By: Packages")
    releases = {suite, f"{suite}-updates", f"{suite}-security"}
    own = {
        f"deb {uri} {release} main": release
        for release, uri, component, origin in (line.split() for line in targets.splitlines() if line.count(" ") == 3)
        if release in releases and component == "main" and origin == "Debian"
    }
    # Hosts without security updates would be worse than hosts from another mirror.
    return list(own) if set(own.values()) == releases else []


def _proxies() -> dict[str, str]:
    """The proxies of apt as variables: as an option of mmdebstrap they would stay in the image."""
    proxies = {}
    for scheme in ("http", "https"):
        answer = _ask("apt-config", "shell", "proxy", f"Acquire::{scheme}::Proxy")
        proxy = answer.strip().removeprefix("proxy=").strip("'")
        if proxy not in ("", "DIRECT"):
            proxies[f"{scheme}_proxy"] = proxy
    return proxies


def _ask(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        return ""
