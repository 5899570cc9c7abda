"""`python -m runner COMMAND`, in an environment of its own, and by the virtual environment's Python if there is one."""

import sys

from runner import environment
from runner.errors import ExitCode

INCOMPLETE = "The virtual environment is missing or incomplete: run `make bootstrap`.\n"

if __name__ == "__main__":
    try:
        environment.enter("-m", "runner", *sys.argv[1:])
        try:
            from runner.cli import app

            app(prog_name="python -m runner")
        except ModuleNotFoundError as error:
            if str(error.name).partition(".")[0] == "runner":
                raise
            sys.stderr.write(INCOMPLETE)
            sys.exit(ExitCode.MACHINE)
    except KeyboardInterrupt:  # before or after a command handles it
        sys.exit(ExitCode.INTERRUPTED)
