"""`python -m runner COMMAND`."""

import sys

from runner.errors import ExitCode

if __name__ == "__main__":
    try:
        from runner.cli import app

        app(prog_name="python -m runner")
    except KeyboardInterrupt:  # before or after a command had its own say
        sys.exit(ExitCode.INTERRUPTED)
