"""The steps that raise the cluster, from whatever is there already."""

from dataclasses import dataclass
from pathlib import Path

from runner import doctor
from runner.ansible import VAGRANT_INVENTORY, PlaybookOptions, run_playbook
from runner.cluster import wait_until_ready
from runner.declaration import Declaration, pki
from runner.errors import MachineError
from runner.events import Note, Report, step
from runner.machines import hosts
from runner.prepare.pipeline import prepare
from runner.state import State, relative_to_cwd


@dataclass(frozen=True)
class RunPaths:
    """The directories that a run writes to: this checkout's state, the shared cache, and the run's own."""

    state: State
    cache: Path
    run: Path


def site(
    options: PlaybookOptions, mirror: str | None, declaration: Declaration, paths: RunPaths, report: Report
) -> None:
    """Run every step that is needed; each one is a no-op where its work is done already.

    With tags or a limit, on a cluster that was raised before, neither `prepare` nor `ready` is needed.

    Args:
        options: of the playbook; an inventory of own machines makes `doctor` and `hosts` needless.
        mirror: a copy of another machine's cache, as a directory or a URL.
        declaration: of the cluster.
        paths: where the run writes.
        report: receives every event.
    """
    state = paths.state
    own_machines = options.inventory != VAGRANT_INVENTORY
    if not own_machines:
        with step("doctor", report) as result:
            result.summary = check_machine(declaration, report)
    if not (options.partial and state.release.exists()):
        with step("prepare", report) as result:
            result.summary = f"release {prepare(paths.cache, state, report, mirror).id}"
    with step("certificates", report):
        pki.ensure(declaration, state)
    if not own_machines:
        with step("hosts", report):
            hosts.up(declaration, report, declaration.hosts_matching(options.limit))
    if not options.check:
        state.own_inventory = options.inventory if own_machines else None
    with step("roles", report) as result:
        result.summary = run_playbook(options, report, paths.run / "ansible.log").summary()
    if not (options.partial or options.check):
        with step("ready", report):
            wait_until_ready(declaration, state, report)


def check_machine(declaration: Declaration, report: Report) -> str:
    """Check this machine, apply the safe remedies, and return the number of checks in words.

    Raises:
        MachineError: a check still fails.
    """
    findings = doctor.fix(declaration, report)
    failures = [finding for finding in findings if finding.severity == "failure"]
    if failures:
        checks = ", ".join(finding.check for finding in failures)
        details = "\n".join(f"{finding.check}: {finding.observed}. {finding.remedy}" for finding in failures)
        raise MachineError(f"This machine is not ready: {checks}.", "Apply the remedies above, and try again.", details)
    for finding in findings:
        if finding.severity == "warning":
            report(Note("doctor", f"{finding.check}: {finding.observed}. {finding.remedy}", "warning"))
    return f"{len(findings)} checks"


def addresses(declaration: Declaration, state: State) -> dict[str, str]:
    """Return the addresses of the cluster's pages and the path of the token that permits changes, by their names."""
    page = f"http://{declaration.controller.address}"
    token = relative_to_cwd(state.provisioning_token)
    return {"dashboard": f"{page}/", "provisioning": f"{page}:90/", "provisioning token": str(token)}
