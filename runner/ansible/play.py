"""Playbook runs: Ansible behind one function that reports events and raises the project's errors.

ansible-runner writes its input (variables, the whole environment) to files. It gets a private
directory for each run, which is removed afterwards; only Ansible's own output stays, in `log`.
"""

import os
import shlex
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from runner import environment, stopping
from runner.ansible import journal
from runner.ansible.translate import EventTranslator, Failure, Recap
from runner.errors import HostsError, RolesError, RunnerError
from runner.events import Event, Report
from runner.state import CHECKOUT, VAGRANT_INVENTORY

# mitogen keeps one Python per host instead of starting one for each task: a third of the time.
MITOGEN = {
    "ANSIBLE_STRATEGY": "mitogen_on_all_cpus",
    "ANSIBLE_STRATEGY_PLUGINS": str(CHECKOUT / "runner" / "ansible" / "strategy"),
    # Each task's arguments would go to the hosts' journals: a tenth of the hosts' time. The run's directory has a log.
    "ANSIBLE_NO_TARGET_SYSLOG": "True",
    # Ansible announces that strategies of others may go one day; this one is pinned with its ansible-core.
    "ANSIBLE_DEPRECATION_WARNINGS": "False",
}
INTERRUPT_SECONDS = 3.0  # that Ansible has to end by itself after Ctrl-C
POLL = 0.2


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


def run_playbook(
    options: PlaybookOptions, report: Report, log: Path | None = None, side_by_side: Sequence[str] = ()
) -> Recap:
    """Run a playbook and return its result; `report` is called from other threads, `log` gets Ansible's own output.

    Args:
        options: what ansible-playbook is told.
        report: gets the events, one at a time.
        log: where Ansible's output goes, in a directory that may also hold its private files meanwhile.
        side_by_side: patterns of hosts that do not wait for each other: each is played by an Ansible and has a log of
            its own (`ansible-PATTERN.log`). The others need the first: they are stopped where it fails.

    Raises:
        HostsError: a host could not be reached.
        RolesError: a task failed, or Ansible could not start.
    """
    one_at_a_time = Lock()

    def report_in_turn(event: Event) -> None:
        with one_at_a_time:
            report(event)

    with ExitStack() as stack:
        plays = []
        for limit in side_by_side or (options.limit,):
            path = log and (log.with_stem(f"{log.stem}-{limit}") if side_by_side else log)
            text = stack.enter_context((path or Path(os.devnull)).open("w", encoding="utf-8", buffering=1))
            plays.append(_Play(limit, EventTranslator(report_in_turn, text)))
        _run(plays, options, log and log.parent)
    recap = Recap.of([play.translator.recap for play in plays])
    for play in plays:
        if play.translator.callback_error:
            raise play.translator.callback_error
    failed = [play for play in plays if play.code]  # another one's failures were rescued
    if failures := [failure for play in failed for failure in play.translator.failures]:
        raise _error(failures, options.inventory)
    if failed:
        tail = "\n".join(failed[0].translator.output_tail)
        raise RolesError("Ansible stopped before a task failed.", details=tail)
    if options.tags and not recap.tasks("ok", "skipped", "failures"):
        raise RolesError(
            f"No task has the tag {', '.join(options.tags)}.",
            "A tag is the name of a role: see playbooks/site.yml.",
        )
    return recap


class _Play:
    """One ansible-playbook, run by a thread of ansible-runner's."""

    def __init__(self, limit: str | None, translator: EventTranslator) -> None:
        self.limit = limit
        self.translator = translator

    def start(self, options: PlaybookOptions, private: Path, marker: str, cancelled: Callable[[], bool]) -> None:
        """Start Ansible; `private` is a new directory for its input, `marker` is in all its processes' environment."""
        import ansible_runner  # type: ignore[import-untyped] # it has no types

        switches = [name for name, wanted in (("--check", options.check), ("--diff", options.diff)) if wanted]
        switches += [f"--extra-vars=@{path}" for path in options.extra_files]
        if options.vault_password_file:
            switches.append(f"--vault-password-file={options.vault_password_file}")
        private.mkdir()
        self._thread, self._runner = ansible_runner.run_async(
            private_data_dir=str(private),
            project_dir=str(CHECKOUT),  # its working directory
            playbook=str(CHECKOUT / "playbooks" / options.playbook),
            inventory=[str(options.inventory)],
            tags=",".join(options.tags) or None,
            limit=self.limit,
            cmdline=shlex.join(switches) or None,
            extravars=dict(options.extra_vars),
            envvars=environment.of_programs()
            | dict.fromkeys(environment.PROXIES, "")
            | MITOGEN
            | {"INAETICS_RUN": marker},
            settings={"pexpect_timeout": POLL, "suppress_output_file": True},
            fact_cache_type="",  # or it would replace what ansible.cfg says
            quiet=True,
            event_handler=self.translator.handle,
            # Called every POLL seconds; True makes ansible-runner kill what is left.
            cancel_callback=cancelled,
        )

    def ended(self, seconds: float = 0.0) -> bool:
        """Wait so long for the end, and return True when it has come."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    @property
    def code(self) -> int:
        """The exit code, once it has ended."""
        return int(self._runner.rc)


def _run(plays: Sequence[_Play], options: PlaybookOptions, place: Path | None) -> None:
    """Run plays side by side; a signal to this process, or the first play's failure, stops all of them in order.

    `place` has their private directory, by which the next run knows what a killed one has left.
    """
    cancelled = False
    with (
        tempfile.TemporaryDirectory(prefix="inaetics-roles-", dir=place) as private,
        stopping.interrupts_deferred() as interrupts,
    ):
        # Ansible's workers lead sessions of their own; all of them have the private directory in their environment.
        stop = stopping.stop_in_order(
            lambda: stopping.with_env_marker(private), lambda: len(interrupts), INTERRUPT_SECONDS
        )
        try:
            for number, play in enumerate(plays):
                play.start(options, Path(private, str(number)), private, lambda: cancelled)
            while waiting := [play for play in plays if not play.ended()]:
                waiting[0].ended(POLL)
                if interrupts or (plays[0].ended() and plays[0].code):
                    cancelled = next(stop, True)
        finally:
            stopping.kill(stopping.with_env_marker(private))


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
        details = "\n".join([details, *journal.read(failure.host, failure.unit, inventory)]).strip()
    return RolesError(
        f"{failure.host}: {failure.where} failed{also}: {failure.message}",
        f"Look at it with `python -m runner ssh {failure.host}`, then run the same command again.",
        details,
    )
