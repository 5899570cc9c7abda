"""Root file systems made of Debian packages by mmdebstrap, as root or as an ordinary user."""

import os
import re
from pathlib import Path

from runner.events import Progress, Report
from runner.prepare.archive import EPOCH, files_below, pack
from runner.prepare.cache import CacheKey, tree_digest
from runner.prepare.catalogue import Debian, RootFilesystem
from runner.prepare.tools import NETWORK_HINT, run_tool
from runner.process import JobRunner, command_output

_HOOKS = ("setup", "extract", "customize")
_STEP = re.compile(r"I: (running apt-get update|downloading|extracting|installing|cleaning|creating)([^.]*)")


def cache_key(image: str, root: RootFilesystem, debian: Debian, directory: Path) -> CacheKey:
    """Return the cache key of a root file system, which depends on its definition, not on the day's packages."""
    inputs = {
        "suite": debian.suite,
        "variant": root.variant,
        "packages": list(root.packages),
        "files": tree_digest(files_below(directory)),
        "epoch": EPOCH,
    }
    return CacheKey("rootfs", f"{image} (Debian)", inputs)


def bootstrap(
    item: str, root: RootFilesystem, debian: Debian, directory: Path, jobs: JobRunner, report: Report, scratch: Path
) -> dict[str, Path]:
    """Run mmdebstrap with this machine's own Debian mirrors.

    Args:
        item: the name of the root file system's line on the display.
        root: the packages.
        debian: the suite.
        directory: the image's rootfs/, with hooks and, below files/, files to add.
        jobs: runs the command.
        report: receives the progress.
        scratch: where the archive is written.
    """
    target = scratch / "rootfs.tar"
    command = ["mmdebstrap", f"--variant={root.variant}", f"--include={','.join(root.packages)}"]
    command += [f"--dpkgopt=path-exclude=/usr/share/{unneeded}/*" for unneeded in ("doc", "info", "locale", "man")]
    overlay = directory / "files"
    if overlay.is_dir():
        pack(scratch / "files.tar", files_below(overlay))
        command.append(f"--customize-hook=tar-in {scratch}/files.tar /")
    # As text: without root, mmdebstrap runs hooks as users who may not read this user's files.
    command += [
        f"--{hook}-hook={path.read_text('utf-8')}" for hook in _HOOKS if (path := directory / f"{hook}.sh").exists()
    ]
    command += [debian.suite, str(target), *_mirrors(debian.suite)]

    def on_line(line: str) -> None:
        if step := _STEP.match(line):
            report(Progress("prepare", item, "".join(step.groups())))

    environment = os.environ | _proxies() | {"SOURCE_DATE_EPOCH": str(EPOCH)}
    failure = f"mmdebstrap could not make {item}."
    run_tool(jobs, command, failure, NETWORK_HINT, env=environment, on_line=on_line)
    return {"rootfs.tar": target}


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
    proxies = {}
    for scheme in ("http", "https"):
        answer = command_output("apt-config", "shell", "proxy", f"Acquire::{scheme}::Proxy") or ""
        proxy = answer.strip().removeprefix("proxy=").strip("'")
        if proxy not in ("", "DIRECT"):
            proxies[f"{scheme}_proxy"] = proxy
    return proxies
