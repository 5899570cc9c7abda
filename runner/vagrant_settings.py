"""The declaration as the Vagrantfile needs it: `python -m runner.vagrant_settings` prints it as JSON."""

import hashlib
import json
import sys
from dataclasses import asdict
from typing import Any

from runner.declaration import Declaration, load
from runner.errors import RunnerError
from runner.prepare import ReleaseManifest
from runner.state import DECLARATION, State

# The label of every container of this project, and the prefix of its other labels.
LABEL = "inaetics-demo-cluster"
CONTAINER_USER = "core"
# Room for the ssh ports of the most hosts that a cluster may have; Vagrant publishes each on the first free one.
SSH_PORTS = range(2200, 2300)


def _settings(declaration: Declaration, state: State) -> dict[str, Any]:
    """Return the settings of the Vagrantfile; `image` and `releases` are None while nothing is prepared."""
    release = ReleaseManifest.read(state.release.resolve())
    prefix = f"inaetics-{hashlib.sha256(str(state.checkout).encode()).hexdigest()[:8]}"
    return {
        "checkout": state.checkout,
        "cluster": declaration.name,
        "provider": declaration.provider,
        "prefix_length": declaration.network.prefixlen,
        "netmask": declaration.network.netmask,
        "label": LABEL,
        "user": CONTAINER_USER,
        "ssh_key": state.ssh_key,
        "ssh_ports": [SSH_PORTS[0], SSH_PORTS[-1]],
        "image": release and release.host_image,
        "releases": release and release.directory.parent,
        "hosts": [{**asdict(host), "container": f"{prefix}-{host.name}"} for host in declaration.hosts],
    }


def main() -> int:
    """Print the settings of this checkout, or the reason why there are none, and return the exit code."""
    try:
        print(json.dumps(_settings(load(DECLARATION), State()), default=str))  # noqa: T201 - the Vagrantfile reads it
    except RunnerError as error:
        print(error.message, error.details, error.remedy, sep="\n", file=sys.stderr)  # noqa: T201 - Vagrant shows it
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
