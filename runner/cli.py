"""The command line. Each command reads its options, calls one function and shows what comes of it."""

import json
import os
import signal
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from runner import paths
from runner.errors import ExitCode, HostsError, NotReadyError, RunnerError

if TYPE_CHECKING:  # what is slow to load is loaded by the command that needs it
    from runner.declaration.model import Declaration

INTERRUPTED = "Interrupted: what was running has been stopped. The same command continues where this one was."
MEANINGS = {
    ExitCode.OK: "done",
    ExitCode.DEFECT: "a defect of this project: please report the traceback",
    ExitCode.USAGE: "the command line could not be understood",
    ExitCode.DECLARATION: "inventory/cluster.yml, or the inventory, is not valid",
    ExitCode.MACHINE: "this machine lacks something: see `doctor`",
    ExitCode.PREPARE: "a binary or an image could not be had",
    ExitCode.HOSTS: "a host could not be brought up or reached",
    ExitCode.ROLES: "a role failed on a host",
    ExitCode.NOT_READY: "the cluster does not answer as it should",
    ExitCode.VERIFY: "a host is not as it should be",
    ExitCode.LOCKED: "another run is at work in this checkout",
    ExitCode.INTERRUPTED: "interrupted (Ctrl-C)",
}


class Guarded(TyperGroup):
    """Turns what a person can mend into a message and an exit code, for every command."""

    def invoke(self, context: Any) -> Any:
        """Run the chosen command."""
        try:
            return super().invoke(context)
        except RunnerError as error:
            complain(error)
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            typer.echo(INTERRUPTED, err=True)
            raise typer.Exit(ExitCode.INTERRUPTED) from None


def _as_it_stands(title: str, lines: Iterable[str]) -> str:
    """A part of a help text whose lines are not filled up."""
    return f"{title}:\n\n\b\n" + "\n".join(lines)


def _examples(*commands: str) -> str:
    return _as_it_stands("Examples", (f"  python -m runner {command}" for command in commands))


app = typer.Typer(
    cls=Guarded,
    help="Raise, look at and remove the cluster that inventory/cluster.yml declares.",
    epilog=_as_it_stands("Exit codes", (f"{code.value:>5}  {meaning}" for code, meaning in MEANINGS.items())),
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Json = Annotated[bool, typer.Option("--json", help="For machines: one JSON object a line.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Tell of every task, download and host.")]
Mirror = Annotated[
    str | None,
    typer.Option(
        help="A copy of another machine's cache, as a directory or URL: asked before the publishers.", metavar="PLACE"
    ),
]
Inventory = Annotated[
    Path | None,
    typer.Option(help="An Ansible inventory of machines of your own.", exists=True, dir_okay=False, metavar="FILE"),
]
Limit = Annotated[str | None, typer.Option(help="Only these hosts: node-2, nodes, 'node-1,node-2'.", metavar="HOSTS")]


@app.callback()
def prepare_signals() -> None:
    """Raise, look at and remove the cluster that inventory/cluster.yml declares."""
    for number in (signal.SIGTERM, signal.SIGHUP):  # a closed terminal or a time-out of CI stops as Ctrl-C does
        signal.signal(number, signal.default_int_handler)


@app.command(epilog=_examples("site", "site --tags flannel --limit node-2", "site --check --diff"))
def site(  # noqa: PLR0913, PLR0917 - each is an option of the command
    tags: Annotated[
        list[str] | None,
        typer.Option("--tags", "-t", help="Only these roles: flannel, 'etcd,kube-master'.", metavar="ROLES"),
    ] = None,
    limit: Limit = None,
    check: Annotated[
        bool, typer.Option("--check", help="Run the roles without changing anything on the hosts.")
    ] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Show how files on the hosts change.")] = False,
    inventory: Inventory = None,
    extra_vars: Annotated[
        list[str] | None,
        typer.Option("--extra-vars", "-e", help="A role's variable for this run.", metavar="KEY=VALUE"),
    ] = None,
    mirror: Mirror = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Raise the cluster, or bring it up to what is declared.

    Each step is skipped where its work is done. With --tags or --limit only what these need is run.
    """
    from runner.ansible import play as roles
    from runner.display.run import running
    from runner.site import Places, addresses
    from runner.site import site as run_site

    play = roles.Play(
        playbook="site.yml",
        tags=tuple(part for tag in tags or () for part in tag.split(",")),
        limit=limit,
        check=check,
        diff=diff,
        extra_vars=_variables(extra_vars or ()),
        inventory=inventory.resolve() if inventory else roles.INVENTORY,
    )
    declaration = _declaration()
    with running(paths.STATE, as_json, verbose) as run:
        run_site(play, mirror, declaration, Places(paths.STATE, paths.cache(), run.directory), run.report)
        run.addresses = addresses(declaration, paths.STATE)


@app.command(epilog=_examples("doctor", "doctor --fix"))
def doctor(
    fix: Annotated[bool, typer.Option("--fix", help="Apply the remedies that are safe.")] = False,
    as_json: Json = False,
) -> None:
    """Say what this machine lacks, each with its remedy."""
    from runner import lock
    from runner.display import lines
    from runner.display.views import console
    from runner.doctor import examination as machine
    from runner.events import Event, Note

    out = console(stderr=as_json)

    def told(event: Event) -> None:
        if isinstance(event, Note):
            out.print(*lines.note(event), sep="\n", soft_wrap=True)

    declaration = _declaration()
    findings = machine.examine(declaration)
    if fix:
        with lock.held(paths.STATE):
            findings = machine.mend(declaration, findings, told)
    for finding in findings:
        if as_json:
            typer.echo(json.dumps(asdict(finding)))
        else:
            out.print(*lines.finding(finding), sep="\n", soft_wrap=True)
    if any(finding.grade == "failure" for finding in findings):
        raise typer.Exit(ExitCode.MACHINE)


@app.command(epilog=_examples("prepare", "prepare --mirror /media/usb/inaetics"))
def prepare(mirror: Mirror = None, as_json: Json = False, verbose: Verbose = False) -> None:
    """Have every binary and image, so that `site` needs no network."""
    from runner.display.run import running
    from runner.prepare.pipeline import prepare as run_prepare
    from runner.site import step

    with running(paths.STATE, as_json, verbose) as run, step("prepare", run.report) as ended:
        release = run_prepare(paths.cache(), paths.STATE, run.report, mirror)
        ended.summary = f"release {release.id}"


@app.command(epilog=_examples("status", "status --json | jq .nodes"))
def status(as_json: Json = False) -> None:
    """Show hosts, nodes, pods, services and certificates."""
    from runner.cluster.status import status as look
    from runner.display import tables
    from runner.display.views import console

    found = look(_declaration(), paths.STATE)
    if as_json:
        typer.echo(json.dumps(asdict(found), default=str))
    else:
        tables.show(found, console())
    if found.problem:
        raise NotReadyError(found.problem, "`python -m runner site` raises the cluster, or mends it.")


@app.command(epilog=_examples("verify", "verify --limit node-2"))
def verify(
    limit: Limit = None,
    inventory: Inventory = None,
) -> None:
    """Test every host: files, units, ports, certificates."""
    from runner.declaration.selection import named
    from runner.verify import verify as run_verify

    hosts = named(limit, _declaration())
    if limit is not None and hosts is None:
        raise typer.BadParameter("name hosts or groups: node-1,node-2 or nodes", param_hint="--limit")
    run_verify(hosts or [], *([inventory.resolve()] if inventory else []))


@app.command(
    epilog=_examples("ssh controller", "ssh node-2 -- journalctl -u kubelet -n 50"),
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def ssh(context: typer.Context, host: Annotated[str, typer.Argument(help="controller, node-1, node-2 …")]) -> None:
    """Open a shell on a host, or run a command there."""
    from runner.machines import hosts

    reached = hosts.ssh_config(_declaration())
    if host not in reached:
        raise HostsError(f"{host} is not up; these are: {', '.join(reached)}.", "`python -m runner site` brings it up.")
    _become(reached[host].command(*context.args, batch=False))


@app.command(
    epilog=_examples("kubectl -- get nodes", "kubectl -- logs --follow inaetics-queue-controller-9jcpk"),
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def kubectl(context: typer.Context) -> None:
    """Run kubectl on the cluster."""
    from runner.cluster.api import kubeconfig

    config = kubeconfig(_declaration(), paths.STATE)
    _become([str(paths.STATE / "release" / "bin" / "kubectl"), f"--kubeconfig={config}", *context.args])


@app.command(epilog=_examples("destroy"))
def destroy(as_json: Json = False, verbose: Verbose = False) -> None:
    """Remove the hosts and all that is on them.

    What was prepared, and the certificates, stay.
    """
    from runner.display.run import running
    from runner.machines import hosts
    from runner.site import step

    declaration = _declaration()
    with running(paths.STATE, as_json, verbose) as run, step("destroy", run.report):
        hosts.destroy(declaration, run.report)


def _variables(given: Sequence[str]) -> dict[str, str]:
    pairs = [entry.partition("=") for entry in given]
    for name, separator, _ in pairs:
        if not (name and separator):
            raise typer.BadParameter(f"{name!r} is not KEY=VALUE", param_hint="--extra-vars")
    return {name: value for name, _, value in pairs}


def _declaration() -> "Declaration":
    from runner.declaration.model import load

    return load(paths.DECLARATION)


def _become(command: list[str]) -> NoReturn:
    """Let a program take this one's place, so that the terminal and the exit code are its own."""
    sys.stdout.flush()
    os.execvp(command[0], command)  # noqa: S606 - no shell is wanted


def complain(error: RunnerError) -> None:
    """Print an error where errors go."""
    from runner.display.lines import error as describe
    from runner.display.views import console

    err = console(stderr=True)
    for line in describe(error):
        err.print(line, soft_wrap=True)
