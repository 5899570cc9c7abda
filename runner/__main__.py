"""`python -m runner COMMAND`, in an environment of its own, and by the virtual environment's Python if there is one."""

import sys
from pathlib import Path

from runner import environment
from runner.errors import ExitCode
from runner.state import CHECKOUT

OWN_PYTHON = CHECKOUT / ".venv" / "bin" / "python"
INCOMPLETE = "error: The virtual environment is missing or incomplete.\nRun `make bootstrap` to create it.\n"

if __name__ == "__main__":
    try:
        environment.enter(OWN_PYTHON if OWN_PYTHON.exists() else Path(sys.executable))
        try:
            from runner.cli import app
        except ModuleNotFoundError as error:
            if str(error.name).startswith("runner"):
                raise
            sys.stderr.write(INCOMPLETE)
            sys.exit(ExitCode.MACHINE)
        app(prog_name="python -m runner")
    except KeyboardInterrupt:  # before or after a command handles it
        sys.exit(ExitCode.INTERRUPTED)
