"""Run tests against a cluster of their own, beside whatever cluster runs: `python -m tests.own_cluster tests/cluster`.

The arguments are pytest's. The tests run in a copy of this checkout, since a cluster belongs to one: `OWN`, with
a network of its own. The cluster is raised from nothing, and removed afterwards unless KEEP is set. It has to be
there before tests are collected, since testinfra makes one test of each for every host of the inventory.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence

from runner.state import CHECKOUT, DECLARATION, State
from tests.machines.checkout import copy_checkout, renumbered

OWN = CHECKOUT / ".cluster" / "tests"
NETWORK = "172.31.252"


def copy() -> None:
    """Copy the checkout; declaration and documents tell the addresses of the copy's cluster."""
    if OWN.exists():
        shutil.rmtree(OWN)
    copy_checkout(OWN)
    for path in (OWN / DECLARATION.relative_to(CHECKOUT), *OWN.glob("*.md"), *OWN.glob("docs/*.md")):
        path.write_text(renumbered(path.read_text("utf-8"), NETWORK), "utf-8")


def run(*command: str) -> int:
    """Run a module of the copy's to its end, which after Ctrl-C is its own business, and return its exit code."""
    print(f"\n$ python -m {' '.join(command)}", flush=True)
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        return subprocess.run([sys.executable, "-m", *command], cwd=OWN, check=False).returncode
    finally:
        signal.signal(signal.SIGINT, before)


def main(tests: Sequence[str]) -> int:
    """Return the exit code of the tests, or of the run that could not raise a cluster for them."""
    if (OWN / "runner").is_dir() and (failed := run("runner", "destroy")):
        return failed
    copy()
    try:
        return run("runner", "site") or run("pytest", *tests)
    finally:
        if not os.environ.get("KEEP"):
            run("runner", "destroy")


if __name__ == "__main__":
    State().create()
    with OWN.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit("Tests run in this checkout already: wait until they end.")
        sys.exit(main(sys.argv[1:]))
