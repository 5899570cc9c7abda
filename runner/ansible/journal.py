"""The journal of a unit that failed: the lines that say why, instead of whatever came last."""

import re
from collections.abc import Sequence
from pathlib import Path

from runner import process
from runner.state import CHECKOUT

SECONDS = 20.0  # that a host has to answer
READ, SHOWN, LAST, END = 400, 5, 2, 10  # lines
# "2026-11-26T17:00:00+0000 flanneld[123]: text", and what programs put before the text: klog's time, process and place
HEAD = re.compile(r"\S+ (?P<program>[^\s:\[]+)(?:\[\d+\])?: (?:(?P<level>[IWEF])\d{4} \S+ +\d+ \S+\] )?(?P<text>.*)")
SAYS_WHY = re.compile(
    r'"level":"(error|fatal|panic)"|level=(error|fatal|panic)|\b(cannot|denied|err|error|failed|fatal|invalid|panic|'
    r"refused|unable|unknown flag)\b",
    re.IGNORECASE,
)
# What is logged however well a program is, kube-proxy's advice about NodePorts among it, and dumps
NOISE = re.compile(
    r'"level":"(debug|info)"|level=(debug|info)|configuration may be incomplete|'
    r"^\s+(/|\S+\(.*\)$)|^goroutine |\bcreated by \S+"
)


def read(host: str, unit: str, inventory: Path) -> list[str]:
    """Return a heading and the lines of a unit's journal that say why it failed; if there are none, the last ones.

    Where the host does not answer, one line says so.
    """
    journalctl = f"journalctl --unit={unit} --lines={READ} --no-pager --output=short-iso --no-hostname"
    # Without the name of a module it is `command`.
    command = ["ansible", host, f"--inventory={inventory}", "--become", f"--args={journalctl}"]
    try:
        output = process.run(command, cwd=CHECKOUT, timeout=SECONDS)
    except process.CommandError as error:
        return [f"The journal of {unit} on {host} is not available: {(error.output.splitlines() or [str(error)])[-1]}"]
    header, _, lines = output.partition("\n")
    if not header.startswith(host):
        return [f"The journal of {unit} on {host} is not available: {header or 'no output'}"]
    entries = lines.strip().splitlines()
    if causes := find_causes(entries):
        return [f"The journal of {unit} on {host} says why:", *causes, "and ends with:", *entries[-LAST:]]
    return [f"The end of the journal of {unit} on {host}:", *entries[-END:]]


def find_causes(entries: Sequence[str]) -> list[str]:
    """Return the last lines that tell of an error, each text once, with the times that it was repeated."""
    last: dict[str, tuple[int, str]] = {}
    for entry in entries:
        parts = HEAD.match(entry)
        if not parts or parts["program"] == "systemd" or NOISE.search(parts["text"]):
            continue
        if parts["level"] in {"E", "F"} or (parts["level"] is None and SAYS_WHY.search(parts["text"])):
            key = re.sub(r"\d+", "#", parts["text"])  # but for times, ports and the like
            times = last.pop(key, (0, ""))[0] + 1
            last[key] = (times, entry)
    return [line if times == 1 else f"{line} ({times} times)" for times, line in list(last.values())[-SHOWN:]]
