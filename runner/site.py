"""The steps that raise the cluster, from whatever is there already."""

import shlex
from dataclasses import replace

from runner import doctor
from runner.ansible import LastRuns, PlaybookOptions, read_endpoints, run_playbook
from runner.cluster import wait_until_ready
from runner.declaration import Cluster, Declaration, pki
from runner.errors import MachineError
from runner.events import Note, Report, step
from runner.machines import existing, hosts
from runner.prepare.cache import Cache
from runner.prepare.pipeline import prepare
from runner.prepare.uses import Use
from runner.run import Run
from runner.state import State, cache_directory, relative_to_cwd


def site(cluster: Cluster, options: PlaybookOptions, mirror: str | None, run: Run) -> None:
    """Run every step that is needed; each one is a no-op where its work is done already.

    With tags or a limit, a cluster that was raised before needs neither `prepare` nor `ready`; own machines need
    neither `doctor` nor `hosts`.
    """
    state, report = run.state, run.report
    applied = existing.check_change(cluster, options.inventory, state)
    if isinstance(cluster, Declaration):
        with step("doctor", report) as end:
            end.summary = _check_machine(cluster, report)
    if not (options.partial and state.release.exists()):
        with step("prepare", report) as end:
            end.summary = f"release {prepare(cache_directory(), state, report, mirror).id}"
    with step("certificates", report):
        pki.ensure(cluster, read_endpoints(cluster, options.vault_password_file), state)
    if isinstance(cluster, Declaration):
        with step("hosts", report):
            hosts.up(cluster, report, cluster.hosts_matching(options.limit))
    if not options.check:
        state.own_inventory.unlink(missing_ok=True)
        if not isinstance(cluster, Declaration):
            state.own_inventory.symlink_to(options.inventory)
    if not (options.partial or options.check):
        applied.write(state)
    with step("roles", report) as end:
        end.summary = _run_roles(cluster, options, run)
    if not (options.partial or options.check):
        Use.settle(Cache(cache_directory()), state.checkout)
        with step("ready", report):
            wait_until_ready(cluster, state, report)
    run.addresses = addresses(cluster, state)


def _run_roles(cluster: Cluster, options: PlaybookOptions, run: Run) -> str:
    """Run the roles on the hosts that need it, and return the result in words."""
    last_runs = LastRuns.of(cluster, options, run.state)
    if last_runs:
        outdated = last_runs.outdated(run.report)
        if not outdated:
            return "every host is as they left it"
        if len(outdated) < len(cluster.hosts):
            options = replace(options, limit=",".join(outdated))
    # Nodes need not wait for the control plane: their services do, where they have to.
    groups = () if options.limit else ("control_plane", "workers")
    result = run_playbook(options, run.report, run.directory / "ansible.log", groups)
    if last_runs:
        last_runs.note()
    return result.summary()


def _check_machine(declaration: Declaration, report: Report) -> str:
    """Check this machine, apply the safe remedies, and return the number of checks in words."""
    findings = doctor.fix(declaration, report)

    def described(severity: str) -> dict[str, str]:
        return {one.check: f"{one.check}: {one.observed}. {one.remedy}" for one in findings if one.severity == severity}

    if failures := described("failure"):
        message = f"This machine is not ready: {', '.join(failures)}."
        raise MachineError(message, "Apply the remedies above, and try again.", "\n".join(failures.values()))
    for warning in described("warning").values():
        report(Note("doctor", warning, "warning"))
    return f"{len(findings)} checks"


def addresses(cluster: Cluster, state: State) -> dict[str, str]:
    """Return the cluster's pages, the path of the token for changes, and the line for kubectl, by their names."""
    page, kubeconfig = f"http://{cluster.address}", relative_to_cwd(state.kubeconfig)
    place = shlex.quote(str(kubeconfig)) if kubeconfig.is_absolute() else f"$PWD/{kubeconfig}"
    return {
        "demonstrator": f"{page}/",
        "dashboard": f"{page}/dashboard",
        "provisioning": f"{page}:90/",
        "token for changes": str(relative_to_cwd(state.provisioning_token)),
        "kubectl": f"export KUBECONFIG={place}",
    }
