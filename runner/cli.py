"""The command line: each command reads its options, calls one function and shows the result."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, BadParameter, Context, Exit, Option, echo

from runner import environment, names
from runner.application import app, command, refused
from runner.display import Board, console
from runner.errors import ExitCode, NotReadyError, PrepareError
from runner.events import Note, step
from runner.run import find_run, run_session
from runner.state import (
    DECLARATION,
    VAGRANT_INVENTORY,
    State,
    cache_directory,
    relative_to_cwd,
)

if TYPE_CHECKING:  # a command imports slow modules itself
    from runner.declaration import Declaration, OwnMachines

__all__ = ["app"]  # with the commands below

MIRROR_HELP = "A copy of another machine's cache, as a directory or URL: tried before the projects' release pages."
INVENTORY_HELP = "An Ansible inventory of machines of your own; other commands know it after `site`."


Fix = Annotated[bool, Option("--fix", help="Apply the remedies that are safe.")]
Json = Annotated[bool, Option("--json", help="Print one JSON object a line.")]
Verbose = Annotated[bool, Option("--verbose", "-v", help="Show every task, download and host.")]
Mirror = Annotated[str | None, Option(help=MIRROR_HELP, metavar="PLACE")]
Inventory = Annotated[Path | None, Option(help=INVENTORY_HELP, exists=True, dir_okay=False, metavar="FILE")]
HostName = Annotated[str, Argument(help="controller, node-1, node-2 …", metavar="HOST")]
Limit = Annotated[
    str | None, Option(help="Only these hosts or groups: node-2, workers, 'node-1,node-2'.", metavar="HOSTS")
]


@command("site", "site --tags flannel --limit node-2", "site --check --diff")
def site(  # noqa: PLR0913 - each is an option of the command
    tags: Annotated[
        list[str] | None, Option("--tags", "-t", help="Only these roles: flannel, 'etcd,kube-master'.", metavar="ROLES")
    ] = None,
    limit: Limit = None,
    *,
    check: Annotated[bool, Option("--check", help="Run the roles without changing anything on the hosts.")] = False,
    diff: Annotated[bool, Option("--diff", help="Show how files on the hosts change.")] = False,
    inventory: Inventory = None,
    extra_vars: Annotated[
        list[str] | None,
        Option("--extra-vars", "-e", help="Variables for this run; also JSON, or @FILE.", metavar="KEY=VALUE"),
    ] = None,
    vault_password_file: Annotated[
        Path | None, Option(help="What opens files encrypted by ansible-vault.", exists=True, metavar="FILE")
    ] = None,
    mirror: Mirror = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Create the cluster, or bring it up to what is declared.

    Each step is skipped where its work is done. With --tags or --limit only what these need is run.
    """
    from runner.ansible import PlaybookOptions, variables
    from runner.site import site as run_site

    roles = tuple(part for tag in tags or () for part in tag.split(","))
    own = inventory.resolve() if inventory else VAGRANT_INVENTORY
    with refused("--tags"):
        variables.check_roles(roles)
    with refused("--extra-vars"):
        values, files = variables.parse(extra_vars or ())
        variables.check_names(values, own)
    options = PlaybookOptions(
        "site.yml",
        roles,
        limit,
        check=check,
        diff=diff,
        extra_vars=values,
        extra_files=files,
        vault_password_file=vault_password_file.resolve() if vault_password_file else None,
        inventory=own,
    )
    cluster = _cluster(own, options.vault_password_file)
    with refused("--limit"):
        cluster.check_limit(limit)
    with run_session(State(), as_events=as_json, verbose=verbose) as run:
        run_site(cluster, options, mirror, run)


@command("doctor", "doctor --fix")
def doctor(*, fix: Fix = False, as_json: Json = False) -> None:
    """Check this machine, and show a remedy for what it lacks."""
    from runner import doctor

    out = console(stderr=as_json)
    declaration = _declaration()
    if fix:
        with State().locked():
            findings = doctor.fix(declaration, lambda event: out.print(*Board().apply(event), sep="\n", soft_wrap=True))
    else:
        findings = doctor.examine(declaration)
    for finding in findings:
        if as_json:
            echo(json.dumps(finding.as_json()))
        else:
            out.print(*finding.as_lines(), sep="\n", soft_wrap=True)
    if any(finding.severity == "failure" for finding in findings):
        raise Exit(ExitCode.MACHINE)


@command("prepare", "prepare --mirror /media/usb/inaetics")
def prepare(mirror: Mirror = None, *, as_json: Json = False, verbose: Verbose = False) -> None:
    """Download or build every binary and image that `site` needs."""
    from runner.prepare.pipeline import prepare as run_prepare

    with run_session(State(), as_events=as_json, verbose=verbose) as run, step("prepare", run.report) as end:
        end.summary = f"release {run_prepare(cache_directory(), run.state, run.report, mirror).id}"


@command("clean --dry-run", "clean")
def clean(*, dry_run: Annotated[bool, Option("--dry-run", help="Only show what would be removed.")] = False) -> None:
    """Remove releases, images and other files of the cache that no checkout on this machine uses."""
    from runner.machines.hosts import owners
    from runner.prepare.cache import Cache
    from runner.prepare.images import docker_client
    from runner.prepare.uses import find_unused, remove

    cache = Cache(cache_directory())
    with docker_client() as client, cache.locked(lambda: echo("Waiting for a prepare to finish.", err=True)):
        unused = find_unused(cache, client, owners())
        for path in unused.releases:
            echo(f"release {path.name}")
        for tag in unused.images:
            echo(f"image {tag}")
        size = f"{len(unused.files)} files of {cache.root}, {unused.size / 2**20:.0f} MiB"
        if not dry_run:
            remove(unused, client)
        echo(f"{size}: {'would be removed' if dry_run else 'removed'}")


@command("status", "status --json | jq .nodes")
def status(inventory: Inventory = None, *, as_json: Json = False) -> None:
    """Show hosts, nodes, pods, services and certificates, and what differs from the declaration."""
    from runner.cluster import get_status, print_status

    current = _current(inventory)
    found = get_status(_cluster(current), current, State())
    if as_json:
        echo(json.dumps(asdict(found), default=str))
    else:
        print_status(found, console())
    if found.problem:
        raise NotReadyError(found.problem, "`python -m runner site` raises or repairs the cluster.")


@command("verify", "verify --limit node-2")
def verify(limit: Limit = None, inventory: Inventory = None) -> None:
    """Test every host: files, units, ports, certificates."""
    from runner.verify import verify as run_verify

    current = _current(inventory)
    cluster = _cluster(current)
    with refused("--limit"):
        cluster.check_limit(limit)
    hosts = cluster.hosts_matching(limit)
    if limit is not None and hosts is None:
        raise BadParameter("name hosts or groups: node-1,node-2 or workers", param_hint="--limit")
    run_verify(cluster, hosts or [], current)


@command("ssh controller", "ssh node-2 -- journalctl -u kubelet -n 50", pass_on=True)
def ssh(context: Context, host: HostName, inventory: Inventory = None) -> None:
    """Open a shell on a host, or run a command there."""
    from runner.machines import hosts

    cluster = _cluster(_current(inventory))
    with refused("HOST"):
        names.check("there is no host", [host], [one.name for one in cluster.hosts])
    command = hosts.ssh_command(cluster, host, *context.args)
    os.execvpe(command[0], command, environment.of_programs())  # noqa: S606 - no shell is wanted


@command("kubectl -- get nodes", "kubectl -- logs --follow inaetics-queue-controller-9jcpk", pass_on=True)
def kubectl(context: Context, inventory: Inventory = None) -> None:
    """Run kubectl on the cluster."""
    from runner.cluster import kubeconfig

    state = State()
    config = kubeconfig(_declaration() if _current(inventory) == VAGRANT_INVENTORY else None, state)
    program = state.release / "bin" / "kubectl"
    if not program.exists():
        raise PrepareError("Nothing is prepared for this checkout, or the cache was removed.", "Run `make prepare`.")
    command = [str(program), f"--kubeconfig={config}", *context.args]
    os.execve(program, command, environment.of_programs())  # noqa: S606 - no shell is wanted


@command("timeline", "timeline 2026-11-26T16.20.45.133574 --output before.svg")
def timeline(
    run: Annotated[
        Path | None,
        Argument(help="A run's directory, or its name in .cluster/runs; the last one that ran roles.", metavar="RUN"),
    ] = None,
    output: Annotated[
        Path | None, Option(help="The picture instead of RUN/timeline.svg.", dir_okay=False, metavar="FILE")
    ] = None,
) -> None:
    """Draw a run as a picture: which task ran on which host, when and how long."""
    from runner.display.timeline import draw

    if not (found := find_run(State().runs, run)):
        missing = f"{run} has no events of a run" if run else "no run has run roles yet"
        raise BadParameter(f"{missing}: see `ls .cluster/runs`", param_hint="RUN")
    directory, recorded = found
    picture = output or directory / "timeline.svg"
    picture.parent.mkdir(parents=True, exist_ok=True)
    picture.write_text(draw(directory.name, recorded), encoding="utf-8")
    echo(relative_to_cwd(picture))


@command("destroy", "destroy --all")
def destroy(
    *,
    everything: Annotated[
        bool, Option("--all", help="Also undo what `doctor` has changed of this machine's kernel.")
    ] = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Remove the hosts and everything on them.

    The prepared release and the certificates stay.
    """
    from runner import doctor
    from runner.machines import hosts

    declaration = _declaration()
    with run_session(State(), as_events=as_json, verbose=verbose) as run, step("destroy", run.report):
        if everything:
            hosts.check_no_others()
        hosts.destroy(declaration, run.report)
        for done in doctor.undo() if everything else ():
            run.report(Note("destroy", done))


def _declaration() -> "Declaration":
    from runner.declaration import load

    return load(DECLARATION)


def _current(inventory: Path | None) -> Path:
    """Return the inventory that a command names, or that of the last `site`."""
    last = State().own_inventory
    return (inventory or (last if last.is_symlink() else VAGRANT_INVENTORY)).resolve()


def _cluster(inventory: Path, vault_password_file: Path | None = None) -> "Declaration | OwnMachines":
    if inventory == VAGRANT_INVENTORY:
        return _declaration()
    from runner.ansible import read_inventory

    return read_inventory(inventory, vault_password_file)
