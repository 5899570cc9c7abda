"""Connections of testinfra to hosts: as root, one kept for each, so that a command takes 0.02 s in place of 0.3."""

import subprocess
import tempfile
from pathlib import Path

import pytest


def connect_as_root(config: pytest.Config) -> None:
    """Run commands by sudo, and give ssh a place for its connections.

    testinfra asks ssh to keep them but, without a path, it keeps none.
    """
    config.option.sudo = True  # Ansible's become, which the plays say for themselves
    if config.option.ssh_config is not None:
        return
    directory = tempfile.TemporaryDirectory(prefix="inaetics-ssh-")
    path = Path(directory.name) / "config"
    path.write_text(f"Host *\n  ControlPath {directory.name}/%C\n", encoding="utf-8")
    config.option.ssh_config = str(path)

    def close() -> None:
        for socket in path.parent.iterdir():
            if socket.is_socket():
                subprocess.run(
                    ["ssh", "-o", f"ControlPath={socket}", "-O", "exit", "-"], capture_output=True, check=False
                )
        directory.cleanup()

    config.add_cleanup(close)
