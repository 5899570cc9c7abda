"""`python -m runner COMMAND`, by whatever Python: the virtual environment's takes over."""

import os
import sys
from typing import NoReturn

from runner.errors import ExitCode
from runner.paths import CHECKOUT

ENVIRONMENT = CHECKOUT / ".venv"


def _in_the_environment() -> NoReturn:
    """Begin again with the Python that has what the runner needs."""
    python = ENVIRONMENT / "bin" / "python"
    if python.exists() and not ENVIRONMENT.samefile(sys.prefix):
        os.execv(python, [str(python), "-m", "runner", *sys.argv[1:]])  # noqa: S606 - no shell is wanted
    print("error: The virtual environment is missing or incomplete.\n`make bootstrap` makes it.", file=sys.stderr)
    sys.exit(ExitCode.MACHINE)


if __name__ == "__main__":
    try:
        try:
            from runner.cli import app
        except ModuleNotFoundError as error:
            if str(error.name).startswith("runner"):
                raise
            _in_the_environment()
        app(prog_name="python -m runner")
    except KeyboardInterrupt:  # before or after a command had its own say
        sys.exit(ExitCode.INTERRUPTED)
