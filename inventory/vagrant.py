#!/usr/bin/env python3
"""The dynamic inventory: the hosts of inventory/cluster.yml as they run now.

    inventory/vagrant.py --list | --host NAME

Ansible calls it; `ansible-inventory --graph` shows the same. The work is done in runner/inventory.py.
"""

import argparse
import json
import os
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
ENVIRONMENT = CHECKOUT / ".venv"


def main() -> int:
    """Print the inventory, or one host's variables, as JSON."""
    parser = argparse.ArgumentParser(description="Ansible inventory of the cluster that cluster.yml declares")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--list", action="store_true", help="groups, hosts and their variables")
    which.add_argument("--host", metavar="NAME", help="the variables of one host")
    wish = parser.parse_args()

    from runner.ansible import inventory
    from runner.declaration import model as declaration
    from runner.errors import HostsError, RunnerError
    from runner.machines import hosts

    try:
        declared = declaration.load(CHECKOUT / "inventory" / "cluster.yml")
        targets = hosts.ssh_config(declared, checkout=CHECKOUT)
        state = CHECKOUT / ".cluster"
        found = inventory.build(declared, targets, inventory.prepared(state), state)
        if wish.host:
            try:
                found = found["_meta"]["hostvars"][wish.host]
            except KeyError:
                raise HostsError(f"{wish.host} is not a declared host") from None
    except RunnerError as error:
        print("\n".join(filter(None, (error.message, error.details, error.remedy))), file=sys.stderr)
        return error.exit_code
    print(json.dumps(found, indent=2))
    return 0


if __name__ == "__main__":
    # Ansible runs this file by whatever Python is first on the PATH; the project's has what it needs.
    if Path(sys.prefix) != ENVIRONMENT:
        if not ENVIRONMENT.exists():
            sys.exit("the project's virtual environment is missing: run `make bootstrap` first")
        python = str(ENVIRONMENT / "bin" / "python")
        os.execv(python, [python, *sys.argv])  # noqa: S606 - the same program, with no shell wanted
    # In place of this file's own folder, where `import vagrant` would find this file.
    sys.path[0] = str(CHECKOUT)
    sys.exit(main())
