"""Root file systems made of Debian packages by mmdebstrap, as root or as an ordinary user."""

import os
import re
from pathlib import Path

from runner.prepare.artifacts import NETWORK_HINT, Artifact, Work
from runner.prepare.cache import EPOCH, CacheKey, files_below, pack, tree_digest
from runner.prepare.catalogue import RootFilesystem
from runner.process import command_output

_STEP = re.compile(r"I: (running apt-get update|downloading|extracting|installing|cleaning|creating)([^.]*)")


def root_filesystem(image: str, root: RootFilesystem, suite: str, directory: Path, work: Work) -> Artifact:
    """Describe a root file system, whose key depends on its definition, not on the day's packages.

    Below files/, `directory` has files to add, and beside it hooks.
    """
    inputs = {"suite": suite, "files": tree_digest(files_below(directory)), "epoch": EPOCH}
    key = CacheKey("rootfs", f"{image} (Debian)", inputs | root.model_dump(mode="json"))

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
        environment = os.environ | _proxies() | {"SOURCE_DATE_EPOCH": str(EPOCH)}
        work.run(command, f"mmdebstrap could not make {key.name}.", NETWORK_HINT, env=environment, on_line=on_line)
        return {"rootfs.tar": target}

    return Artifact(key, [bootstrap])


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
