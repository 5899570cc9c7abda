"""Follows a document of docs/: writes the files that it shows and runs the commands that it gives."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from runner.state import CHECKOUT

_BLOCK = re.compile(
    r"^(?P<before>[^\n]*)\n\n```(?P<kind>json|python|console)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
_FILE = re.compile(r"`([^`]+)`:$")
_VARIABLE = re.compile(r"\$ ([A-Z_]+)=")


def script(document: Path, variables: Mapping[str, str]) -> str:
    """The document as a shell script: each of its variables has the value given here."""
    # Names a command that fails as it is written: what its variables hold may be secret.
    lines = ["set -Eeu", """trap 'echo "failed: $BASH_COMMAND"' ERR"""]
    given = set(variables)
    for block in _BLOCK.finditer(document.read_text("utf-8")):
        if block["kind"] == "console":
            for command in (line for line in block["text"].splitlines() if line.startswith("$ ")):
                if variable := _VARIABLE.match(command):
                    lines.append(f"{variable[1]}='{variables[variable[1]]}'")
                    given.discard(variable[1])
                else:
                    lines.append(command.removeprefix("$ "))
        elif named := _FILE.search(block["before"]):
            lines += [f"cat >{named[1]} <<'END OF FILE'", block["text"].rstrip("\n"), "END OF FILE"]
    assert not given, f"{document.name} has no variable {given}"
    return "\n".join((*lines, ""))


def follow(document: Path, directory: Path, variables: Mapping[str, str], *, within: float) -> str:
    """Follow the document in `directory` and return the output of its commands, each of which must succeed."""
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(CHECKOUT),
        "no_proxy": "*",
    }
    done = subprocess.run(
        ["bash"],
        input=script(document, variables),
        cwd=directory,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=within,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout
