"""Playbook runs: Ansible behind one function that reports events and raises the project's errors.

ansible-runner writes its input (variables, the whole environment) to files. It gets a private
directory for each run, which is removed afterwards; only Ansible's own output stays, in `log`.
"""

import os
import shlex
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from runner import environment, process, stopping
from runner.ansible.translate import EventTranslator, Failure, Recap
from runner.errors import HostsError, RolesError, RunnerError
from runner.events import Report
from runner.state import CHECKOUT, VAGRANT_INVENTORY

# mitogen keeps one Python per host instead of starting one for each task: a third of the time.
MITOGEN = {
    "ANSIBLE_STRATEGY": "mitogen_linear",
    "ANSIBLE_STRATEGY_PLUGINS": str(files("ansible_mitogen") / "plugins" / "strategy"),
    # Ansible announces that strategies of others may go one day; this one is pinned with its ansible-core.
    "ANSIBLE_DEPRECATION_WARNINGS": "False",
}
INTERRUPT_SECONDS = 3.0  # that Ansible has to end by itself after Ctrl-C
POLL = 0.2
JOURNAL_SECONDS = 20.0


@dataclass(frozen=True)
class PlaybookOptions:
    """A playbook of playbooks/ (or the path of one) with the usual options of ansible-playbook."""

    playbook: str
    tags: Sequence[str] = ()
    limit: str | None = None
    check: bool = False
    diff: bool = False
    extra_vars: Mapping[str, Any] = field(default_factory=dict)
    extra_files: Sequence[Path] = ()
    vault_password_file: Path | None = None
    inventory: Path = VAGRANT_INVENTORY

    @property
    def partial(self) -> bool:
        """True if only some roles or some hosts are selected."""
        return bool(self.tags or self.limit)


def run_playbook(options: PlaybookOptions, report: Report, log: Path | None = None) -> Recap:
    """Run a playbook and return its result; `report` is called from another thread, `log` gets Ansible's own output.

    Raises:
        HostsError: a host could not be reached.
        RolesError: a task failed, or Ansible could not start.
    """
    with (log or Path(os.devnull)).open("w", encoding="utf-8", buffering=1) as text:
        translator = EventTranslator(report, text)
        code = _play(options, translator, log and log.parent)
    if translator.callback_error:
        raise translator.callback_error
    recap = translator.recap
    if code == 0 and options.tags and not recap.tasks("ok", "skipped", "failures"):
        raise RolesError(
            f"No task has the tag {', '.join(options.tags)}.",
            "A tag is the name of a role: see playbooks/site.yml.",
        )
    if code == 0:
        return recap
    if not translator.failures:
        raise RolesError("Ansible stopped before a task failed.", details="\n".join(translator.output_tail))
    raise _error(translator.failures, options.inventory)


def _play(options: PlaybookOptions, translator: EventTranslator, place: Path | None) -> int:
    """Run Ansible in a thread and return its exit code; a signal to this process stops it in order.

    `place` has its private directory, by which the next run knows what a killed one has left.
    """
    import ansible_runner  # type: ignore[import-untyped] # it has no types

    switches = [name for name, wanted in (("--check", options.check), ("--diff", options.diff)) if wanted]
    switches += [f"--extra-vars=@{path}" for path in options.extra_files]
    if options.vault_password_file:
        switches.append(f"--vault-password-file={options.vault_password_file}")
    with (
        tempfile.TemporaryDirectory(prefix="inaetics-roles-", dir=place) as private,
        stopping.interrupts_deferred() as interrupts,
    ):
        # Ansible's workers lead sessions of their own; all of them have the private directory in their environment.
        stop = stopping.stop_in_order(
            lambda: stopping.with_env_marker(private), lambda: len(interrupts), INTERRUPT_SECONDS
        )
        thread, runner = ansible_runner.run_async(
            private_data_dir=private,
            project_dir=str(CHECKOUT),  # its working directory
            playbook=str(CHECKOUT / "playbooks" / options.playbook),
            inventory=[str(options.inventory)],
            tags=",".join(options.tags) or None,
            limit=options.limit,
            cmdline=shlex.join(switches) or None,
            extravars=dict(options.extra_vars),
            envvars=environment.of_programs()
            | dict.fromkeys(environment.PROXIES, "")
            | MITOGEN
            | {"INAETICS_RUN": private},
            settings={"pexpect_timeout": POLL, "suppress_output_file": True},
            fact_cache_type="",  # or it would replace what ansible.cfg says
            quiet=True,
            event_handler=translator.handle,
            # Called every POLL seconds; True makes ansible-runner kill what is left.
            cancel_callback=lambda: bool(interrupts) and next(stop, True),
        )
        thread.join()
        stopping.kill(stopping.with_env_marker(private))
    return int(runner.rc)


def _error(failures: Sequence[Failure], inventory: Path) -> RunnerError:
    """Return the error of the first failure; if its task failed on several hosts, on the first of them by name."""
    failure = min((one for one in failures if one.where == failures[0].where), key=lambda one: one.host)
    others = sorted({other.host for other in failures} - {failure.host})
    also = f" (and on {', '.join(others)})" if others else ""
    if failure.unreachable:
        remedy = "`python -m runner site` without --tags or --limit brings missing hosts up."
        if inventory != VAGRANT_INVENTORY:
            remedy = f"Check that the machine runs and that {inventory} has its address and ssh key."
        return HostsError(f"{failure.host} cannot be reached{also}: {failure.message}", remedy)
    details = failure.output
    if failure.unit:
        heading = f"The end of {failure.unit}'s journal on {failure.host}:"
        details = "\n".join([details, heading, *_journal(failure, inventory)]).strip()
    return RolesError(
        f"{failure.host}: {failure.where} failed{also}: {failure.message}",
        f"Look at it with `python -m runner ssh {failure.host}`, then run the same command again.",
        details,
    )


def _journal(failure: Failure, inventory: Path) -> list[str]:
    """Return the last lines that the failed unit logged, or one line with the reason why there are none."""
    journalctl = f"journalctl --unit={failure.unit} --lines=20 --no-pager --output=short-iso --no-hostname"
    # Without the name of a module it is `command`.
    command = ["ansible", failure.host, f"--inventory={inventory}", "--become", f"--args={journalctl}"]
    try:
        output = process.run(command, cwd=CHECKOUT, timeout=JOURNAL_SECONDS)
    except process.CommandError as error:
        return [f"(not available: {(error.output.splitlines() or [str(error)])[-1]})"]
    header, _, lines = output.partition("\n")
    told = header.startswith(failure.host)
    return lines.strip().splitlines() if told else [f"(not available: {header or 'no output'})"]
