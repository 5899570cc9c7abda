"""Services of hosts that are stopped, asked by ssh: a stand-in answers as a host does."""

import os
from pathlib import Path

import pytest

from runner.cluster import differences
from runner.declaration.model import load
from runner.machines import SshTarget
from runner.state import DECLARATION

# The host is known by its port. The last argument is the command, of which a host runs what is there.
SSH = """#!/bin/sh
case "$*" in *"-p 1 "*) exit 255 ;; esac
for last; do :; done
systemctl() { shift; for unit; do [ $unit = kubelet ] && echo inactive || echo active; done; return 3; }
eval "$last"
"""


def test_stopped_units_and_silent_hosts_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ssh").write_text(SSH, "utf-8")
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    targets = {
        name: SshTarget(name, "127.0.0.1", port, "core", tmp_path, tmp_path, "id")
        for name, port in {"controller": 2, "node-1": 1, "node-2": 3}.items()
    }
    found = [(one.seen, one.remedy) for one in differences.of_units(load(DECLARATION), targets)]
    assert [seen for seen, _ in found] == ["node-1 does not answer by ssh", "kubelet of node-2 is inactive"]
    assert "`python -m runner ssh node-2 -- systemctl status kubelet`" in found[1][1]
