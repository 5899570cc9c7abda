"""docs/debugging.md: every command of it works, where its prompt says."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.state import CHECKOUT
from tests.support.cluster.workstation import Shell
from tests.support.polling import wait_until

MEASURED = 60.0  # seconds: metrics-server asks every node four times a minute

DOCUMENT = CHECKOUT / "docs" / "debugging.md"
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# A command goes on after a backslash at the end of its line; the prompt of a host names it.
COMMAND = re.compile(r"^(?:core@(\S+) ~ )?\$ ((?:.*\\\n)*.*)$", re.MULTILINE)


def commands() -> list[tuple[str, str]]:
    """Host ("" is the workstation) and command line of each command."""
    text = DOCUMENT.read_text(encoding="utf-8")
    return [found for block in BLOCK.findall(text) for found in COMMAND.findall(block)]


def on_workstation(command: str) -> str:
    """Return the output of a command in the checkout, with the virtual environment active."""
    programs = Path(sys.executable).parent
    # Traffic to the cluster passes no proxy: see tests/cluster/workstation.py.
    environment = os.environ | {"PATH": f"{programs}:{os.environ['PATH']}", "no_proxy": "*"}
    done = subprocess.run(
        ["bash", "-c", command], cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module", autouse=True)
def _measured(on: Callable[[str], Shell]) -> None:
    """Pods that were made a moment ago have no figures yet; the document looks at pods that somebody wonders about."""
    top = "kubectl top pod --no-headers 2>/dev/null || true"
    wait_until(lambda: on("controller").core(top), "the pods' memory is measured", seconds=MEASURED)


def test_every_kind_of_host_is_looked_at() -> None:
    assert {host for host, _ in commands()} == {"", "controller", "node-1"}


@pytest.mark.parametrize(("host", "command"), commands(), ids=[" ".join(" ".join(one).split()) for one in commands()])
def test_the_command_works(host: str, command: str, on: Callable[[str], Shell]) -> None:
    """It ends well and says something, be it that there is nothing."""
    output = on(host).core(f"{{ {command}\n}} 2>&1") if host else on_workstation(f"{{ {command}\n}} 2>&1")
    assert output.strip()
