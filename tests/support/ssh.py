"""One kept ssh connection a host for all of testinfra's commands: 0.02 s each instead of 0.3 s."""

import subprocess
import tempfile
from pathlib import Path

import pytest


def keep_connections(config: pytest.Config) -> None:
    """Give ssh a place for its connections: testinfra asks it to keep them but, without a path, it keeps none."""
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
