"""One run at a time in a checkout: two of them would pull the same hosts in two directions."""

import fcntl
import json
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from runner.errors import LockedError


@contextmanager
def held(state: Path) -> Iterator[None]:
    """Hold the checkout's lock; the kernel frees it however the run ends.

    Raises:
        LockedError: with who holds it and since when.
    """
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (state / "lock").open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise LockedError(
                f"another run is at work in this checkout: {_holder(file.read())}",
                "Wait until it ends, or end it with Ctrl-C in its terminal.",
            ) from None
        file.truncate(0)
        command = shlex.join(["python", "-m", "runner", *sys.argv[1:]])
        json.dump({"pid": os.getpid(), "command": command, "since": _now().isoformat(timespec="seconds")}, file)
        file.flush()
        yield


def _now() -> datetime:
    return datetime.now().astimezone()


def _holder(text: str) -> str:
    try:
        who = json.loads(text)
    except ValueError:  # it has the lock and has not yet written its name
        return "it has just begun"
    return f"`{who['command']}`, process {who['pid']}, since {who['since']}"
