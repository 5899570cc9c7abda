"""The application of the command line: its help, its version, and how errors become messages and exit codes."""

import signal
import tomllib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from typer import BadParameter, Exit, Option, Typer, echo
from typer.core import TyperGroup
from typer.models import CommandFunctionType

from runner import process
from runner.display import console, lines
from runner.errors import ExitCode, RunnerError
from runner.state import CHECKOUT, os_errors_translated

INTERRUPTED = "Interrupted: what was running has been stopped. The same command continues where this one was."


class ErrorHandlingGroup(TyperGroup):
    """Turns the errors that a user can fix into a message and an exit code, for every command."""

    def invoke(self, context: Any) -> Any:
        """Run the chosen command; a closed terminal or a time-out of CI stops it as Ctrl-C does."""
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
                signal.signal(number, signal.default_int_handler)
        try:
            with os_errors_translated():
                return super().invoke(context)
        except RunnerError as error:
            console(stderr=True).print(*lines.error(error), sep="\n", soft_wrap=True)
            raise Exit(error.exit_code) from None
        except KeyboardInterrupt:
            echo(INTERRUPTED, err=True)
            raise Exit(ExitCode.INTERRUPTED) from None


def _preformatted(title: str, lines: Iterable[str]) -> str:
    """Return a part of a help text whose line breaks are kept."""
    return f"{title}:\n\n\b\n" + "\n".join(lines)


app = Typer(
    cls=ErrorHandlingGroup,
    help="Create, inspect and remove the cluster that inventory/cluster.yml declares.",
    epilog=_preformatted("Exit codes", (f"{code.value:>5}  {code.meaning}" for code in ExitCode)),
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def command(*examples: str, pass_on: bool = False) -> Callable[[CommandFunctionType], CommandFunctionType]:
    """Return the decorator of a command, which may pass options on that it does not know."""
    epilog = _preformatted("Examples", (f"  python -m runner {example}" for example in examples))
    return app.command(epilog=epilog, context_settings={"allow_extra_args": pass_on, "ignore_unknown_options": pass_on})


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer passes the option's value
    """Print the version and, in a checkout of git, the commit."""
    if wanted:
        version = tomllib.loads((CHECKOUT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
        # A checkout without .git may lie in another project's.
        git = (CHECKOUT / ".git").exists() and process.command_output(
            "git", "-C", str(CHECKOUT), "describe", "--always", "--dirty"
        )
        echo(f"inaetics-demo-cluster {version}" + (f" ({git.strip()})" if git else ""))
        raise Exit


@app.callback()
def _main(
    *,
    version: Annotated[
        bool, Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    pass


@contextmanager
def refused(option: str) -> Iterator[None]:
    """Turn a ValueError about the value of an option into an error of the command line."""
    try:
        yield
    except ValueError as error:
        raise BadParameter(str(error), param_hint=option) from None
