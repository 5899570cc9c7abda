"""Programs of this machine that builds need: mmdebstrap, Go, gcc and pip."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from runner.errors import PrepareError
from runner.process import NOT_FOUND, CommandError, JobRunner

MIRROR_HINT = "name a copy of another machine's cache: prepare --mirror DIRECTORY_OR_URL."
NETWORK_HINT = f"Correct the errors below; without a network, {MIRROR_HINT}"


def run_tool(
    jobs: JobRunner,
    command: Sequence[str],
    failure: str,
    hint: str = "Correct the errors below.",
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    on_line: Callable[[str], object] = str,
) -> None:
    """Run a program, and hand over its output line by line.

    Args:
        jobs: runs the command, and can stop it.
        command: the program and its arguments.
        failure: the message when the program fails.
        hint: what to do then.
        cwd: the working directory.
        env: the whole environment.
        on_line: called with each line of the output; by default nothing happens.

    Raises:
        PrepareError: the program fails, with the end of its output, or is not installed.
    """
    try:
        jobs.run(command, cwd=cwd, env=env, on_line=on_line)
    except CommandError as error:
        if error.code == NOT_FOUND:
            raise PrepareError(f"{command[0]} is not installed.", "Run `make site` or `doctor --fix`.") from error
        raise PrepareError(failure, hint, error.output) from error
