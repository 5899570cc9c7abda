#!/usr/bin/env python3
"""The dynamic inventory: the hosts of inventory/cluster.yml as they run now. It asks no host, and writes nothing.

    inventory/vagrant.py --list | --host NAME

Ansible calls it; `ansible-inventory --graph` shows the same. See runner/ansible/inventory.py.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the first Python on the PATH may not have what it needs
    from runner.errors import RunnerError

CHECKOUT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Print the inventory, or one host's variables, as JSON."""
    parser = argparse.ArgumentParser(description="Ansible inventory of the cluster that cluster.yml declares")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--list", action="store_true", help="groups, hosts and their variables")
    which.add_argument("--host", metavar="NAME", help="the variables of one host")
    arguments = parser.parse_args()

    from runner.ansible import build_inventory
    from runner.declaration import load
    from runner.errors import HostsError, MachineError, RunnerError
    from runner.machines import hosts
    from runner.state import DECLARATION

    try:
        declaration = load(DECLARATION)
        try:
            targets = hosts.ssh_config(declaration)
        except (HostsError, MachineError) as error:  # without Vagrant or Docker no host is up
            targets = {}
            _tell(error)
        output = build_inventory(declaration, targets)
        if arguments.host:
            try:
                output = output["_meta"]["hostvars"][arguments.host]
            except KeyError:
                raise HostsError(f"{arguments.host} is not a declared host") from None
    except RunnerError as error:
        _tell(error)
        return error.exit_code
    print(json.dumps(output, indent=2))  # noqa: T201 - Ansible reads it
    return 0


def _tell(error: "RunnerError") -> None:
    """Print an error where Ansible shows it."""
    print("\n".join(filter(None, (error.message, error.details, error.remedy))), file=sys.stderr)  # noqa: T201


if __name__ == "__main__":
    # Instead of this file's directory, in which `import vagrant` would find this file.
    sys.path[0] = str(CHECKOUT)
    from runner import environment

    if not (CHECKOUT / ".venv").exists():
        sys.exit("The virtual environment is missing: run `make bootstrap` first.")
    # Ansible runs this file with the first Python on the PATH; the project's has the required packages.
    environment.enter(*sys.argv)
    sys.exit(main())
