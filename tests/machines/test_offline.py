"""Why: a demonstration on a stage has no network. What `prepare` left must be all that `site` needs.

`site` runs in a network namespace with nothing but a loopback device, with a Docker of its own there, so that the
machine's network, its Docker and whatever cluster runs are not touched.
"""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.declaration import load
from tests.machines.checkout import copy_checkout

SCRIPT = """
set -eu
ip link set lo up
[ -z "$(ip route)" ] || exit 99
echo '{}' >"$1/daemon.json" # the machine's own may name a bridge as well, and Docker refuses to be told twice
dockerd --config-file="$1/daemon.json" --host="$DOCKER_HOST" --pidfile="$1/pid" \\
    --data-root="$1/data" --exec-root="$1/exec" \\
    --containerd-namespace=offline --containerd-plugins-namespace=offline-plugins \\
    --bip=172.31.255.1/24 >"$1/dockerd.log" 2>&1 &
until docker version >/dev/null 2>&1; do sleep 0.2; kill -0 $! || exit 98; done
.venv/bin/python -m runner site || failed=$?
.venv/bin/python -m runner destroy
kill $!
wait
exit "${failed:-0}"
"""


@pytest.fixture(name="docker")
def fixture_docker() -> Iterator[Path]:
    """A directory for a Docker; a short path, since the path of a socket has 107 characters at most."""
    with tempfile.TemporaryDirectory(prefix="offline-") as directory:
        yield Path(directory)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a network namespace and start a Docker in it")
def test_a_prepared_machine_needs_no_network(tmp_path: Path, docker: Path) -> None:
    checkout = tmp_path / "checkout"
    copy_checkout(checkout)
    declaration = checkout / "inventory" / "cluster.yml"
    declaration.write_text(declaration.read_text("utf-8").replace("count: 5", "count: 1"), "utf-8")

    # All processes end with the first one, also after Ctrl-C.
    apart = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    run = subprocess.run(
        [*apart, "sh", "-c", SCRIPT, "sh", str(docker)],
        cwd=checkout,
        env={**os.environ, "DOCKER_HOST": f"unix://{docker}/docker.sock"},
        capture_output=True,
        text=True,
        check=False,
    )

    output = run.stdout + run.stderr
    assert run.returncode == 0, output + (docker / "dockerd.log").read_text("utf-8")[-3000:]
    assert f"http://{load(declaration).controller.address}/" in output
