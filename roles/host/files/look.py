#!/usr/bin/python3 -I
"""Tell which roles have to run again on this host, and why.

    cluster-look INPUTS ROLE ...           print `ROLE [WHAT]` for each of these, with what is not as it was
    cluster-look --note INPUTS ROLE ...    note that each of these roles has just run to its end with these INPUTS

INPUTS is a digest of all that the roles are given. A role need not run again where it would be given the same, and its
files, its services and what its looks say are as its last run left them. The modules of role common keep what to
expect in ROLES.
"""

import grp
import hashlib
import json
import os
import pwd
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import chain
from pathlib import Path

ROLES = Path("/var/lib/cluster/roles")
SECONDS = 10  # that a command may take: one that still waits has found what is not as it was
TIMED_OUT = 124


def main() -> None:
    """Look at all roles side by side, since their commands mostly wait for servers."""
    noting, inputs, *roles = sys.argv[1:] if sys.argv[1] == "--note" else ["", *sys.argv[1:]]
    with ThreadPoolExecutor() as pool:
        if noting:
            list(pool.map(lambda role: note(role, inputs), roles))
            return
        for role, found in zip(roles, pool.map(lambda role: difference(role, inputs), roles), strict=True):
            if found is not None:
                print(role, found)


def note(role: str, inputs: str) -> None:
    """Note a run of a role to its end."""
    looks = expected(role)["looks"].items()
    last = {"inputs": inputs, "looks": {name: output(command) for name, command in looks}}
    (ROLES / role / "last-run.json").write_text(json.dumps(last))


def difference(role: str, inputs: str) -> str | None:
    """Return the first thing that is not as a role left it, None, or nothing where it never ran with these inputs."""
    try:
        last = json.loads((ROLES / role / "last-run.json").read_text())
        wanted = expected(role)
    except (FileNotFoundError, ValueError):
        return ""
    if last["inputs"] != inputs:
        return ""
    looks = wanted["looks"].items()
    return next(
        chain(
            (f"{path} is not as it was" for path, entry in wanted["files"].items() if not is_at(Path(path), entry)),
            (f"{name} {problem}" for name in wanted["names"] if (problem := service(f"{name}.service"))),
            (
                f"{name} has to start again"
                for name, command in wanted["restart_if"].items()
                if run("sh", "-c", command).returncode in (0, TIMED_OUT)
            ),
            (f"{name} changed" for name, command in looks if output(command) != last["looks"].get(name)),
        ),
        None,
    )


def expected(role: str) -> dict:
    """Return what a role expects: `files` by path, `looks`, and the `names` and `restart_if` of its services."""
    parts = {path.stem: json.loads(path.read_text()) for path in (ROLES / role).glob("*.json")}
    return {"names": [], "restart_if": {}, **parts["files"], **parts.get("services", {})}


def is_at(path: Path, wanted: dict) -> bool:
    """Tell whether a path is what module install_files made of it."""
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return wanted["kind"] == "absent"
    if stat.S_ISLNK(status.st_mode):
        if wanted["kind"] != "directory" or not path.is_dir():
            return wanted == {"kind": "link", "link": str(path.readlink())}
        status = path.stat()  # install_files leaves a link to a directory, with the rights of that one
    found = {
        "kind": "directory" if stat.S_ISDIR(status.st_mode) else "file",
        "mode": f"{stat.S_IMODE(status.st_mode):04o}",
    }
    with suppress(KeyError):  # nobody has that number
        found |= {"owner": pwd.getpwuid(status.st_uid).pw_name, "group": grp.getgrgid(status.st_gid).gr_name}
    if found["kind"] == "file":
        found["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found == wanted


def service(unit: str) -> str:
    """Return what is wrong with a unit, or nothing."""
    shown = run("systemctl", "show", "--property=ActiveState,UnitFileState,NeedDaemonReload", unit)
    state = dict(line.split("=", 1) for line in shown.stdout.decode().splitlines())
    if state["ActiveState"] != "active":
        return f"is {state['ActiveState']}"
    if state["UnitFileState"] != "enabled":
        return f"is {state['UnitFileState']}"
    # cluster-note-files noted what it was started with.
    is_as_started = run("sha256sum", "--status", "--check", f"/run/{unit}.sums").returncode == 0
    return "" if is_as_started and state["NeedDaemonReload"] == "no" else "runs with other files than it has"


def output(command: str) -> str:
    """Return a digest of what a shell command says; one that fails never says the same again."""
    ended = run("sh", "-c", command)
    said = ended.stdout if ended.returncode == 0 else os.urandom(32)
    return hashlib.sha256(said).hexdigest()


def run(*command: str) -> "subprocess.CompletedProcess[bytes]":
    """Run a command to its end, whatever that is; one that takes too long has the exit code of timeout(1)."""
    return subprocess.run(["timeout", str(SECONDS), *command], capture_output=True, check=False)


if __name__ == "__main__":
    main()
