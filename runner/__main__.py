"""`python -m runner COMMAND`; started by another Python, it continues in that of the virtual environment."""

import os
import sys

from runner.errors import ExitCode
from runner.state import CHECKOUT

ENVIRONMENT = CHECKOUT / ".venv"
INCOMPLETE = "error: The virtual environment is missing or incomplete.\nRun `make bootstrap` to create it.\n"

if __name__ == "__main__":
    try:
        try:
            from runner.cli import app
        except ModuleNotFoundError as error:
            if str(error.name).startswith("runner"):
                raise
            python = ENVIRONMENT / "bin" / "python"
            if python.exists() and not ENVIRONMENT.samefile(sys.prefix):
                os.execv(python, [str(python), "-m", "runner", *sys.argv[1:]])  # noqa: S606 - no shell is wanted
            sys.stderr.write(INCOMPLETE)
            sys.exit(ExitCode.MACHINE)
        app(prog_name="python -m runner")
    except KeyboardInterrupt:  # before or after a command handles it
        sys.exit(ExitCode.INTERRUPTED)
