"""Playbook runs: Ansible behind one function that reports events and raises the project's errors.

ansible-runner writes its input (variables, the whole environment) to files. It gets a private
directory for each run, which is removed afterwards; only Ansible's own output stays, in `log`.
"""

import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner import stopping
from runner.ansible.journal import journal
from runner.ansible.translate import EventTranslator, HostRecap, Recap
from runner.errors import HostsError, RolesError
from runner.events import Report
from runner.state import CHECKOUT

__all__ = ["HostRecap", "PlaybookOptions", "Recap", "ansible_environment", "run_playbook"]

VAGRANT_INVENTORY = CHECKOUT / "inventory" / "vagrant.py"
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
    extra_vars: Mapping[str, str] = field(default_factory=dict)
    inventory: Path = VAGRANT_INVENTORY

    @property
    def partial(self) -> bool:
        """True if only some roles or some hosts are selected."""
        return bool(self.tags or self.limit)


def run_playbook(options: PlaybookOptions, report: Report, log: Path | None = None) -> Recap:
    """Run a playbook and return its result on each host.

    Args:
        options: of the run.
        report: receives an event for each task; called from another thread.
        log: the file for Ansible's own output.

    Raises:
        HostsError: a host could not be reached.
        RolesError: a task failed, or Ansible could not start.
    """
    with (
        tempfile.TemporaryDirectory(prefix="inaetics-roles-") as private,
        log.open("w", encoding="utf-8") if log else nullcontext() as text,
    ):
        translator = EventTranslator(report, text)
        (Path(private) / "env").mkdir()
        _write(private, "settings", {"pexpect_timeout": POLL, "suppress_output_file": True})
        if options.extra_vars:
            _write(private, "extravars", dict(options.extra_vars))
        code = _play(private, _arguments(options), translator)
    return _raise_for_result(options, translator, code)


def _arguments(options: PlaybookOptions) -> dict[str, Any]:
    switches = [name for name, wanted in (("--check", options.check), ("--diff", options.diff)) if wanted]
    return {
        "playbook": str(CHECKOUT / "playbooks" / options.playbook),
        "inventory": [str(options.inventory)],
        "tags": ",".join(options.tags) or None,
        "limit": options.limit,
        "cmdline": " ".join(switches) or None,
    }


def _write(private: str, name: str, content: dict[str, Any]) -> None:
    (Path(private) / "env" / name).write_text(json.dumps(content), encoding="utf-8")


def ansible_environment() -> dict[str, str]:
    """Return the variables that Ansible's programs need beside those of the user's environment."""
    return {
        # The programs of this virtual environment, also when it is not activated.
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
        "ANSIBLE_NOCOLOR": "1",
        # ansible-runner switches the check of ssh host keys off unless it is told otherwise.
        "ANSIBLE_HOST_KEY_CHECKING": "True",
    }


def _play(private: str, options: dict[str, Any], translator: EventTranslator) -> int:
    """Run Ansible in a thread and return its exit code; a signal to this process stops it in order."""
    import ansible_runner  # type: ignore[import-untyped] # it has no types

    with stopping.interrupts_deferred() as interrupts:
        # Ansible's workers lead sessions of their own; all of them have the private directory in their environment.
        stop = stopping.stop_in_order(
            lambda: stopping.with_env_marker(private), lambda: len(interrupts), INTERRUPT_SECONDS
        )
        thread, runner = ansible_runner.run_async(
            private_data_dir=private,
            project_dir=str(CHECKOUT),  # its working directory
            fact_cache_type="",  # or it would replace what ansible.cfg says
            envvars=ansible_environment(),
            suppress_env_files=True,
            quiet=True,
            event_handler=translator.handle,
            # Called every POLL seconds; True makes ansible-runner kill what is left.
            cancel_callback=lambda: bool(interrupts) and next(stop, True),
            **options,
        )
        thread.join()
        stopping.kill(stopping.with_env_marker(private))
    return int(runner.rc)


def _raise_for_result(options: PlaybookOptions, translator: EventTranslator, code: int) -> Recap:
    if translator.callback_error is not None:
        raise translator.callback_error
    recap = translator.recap
    failure = translator.first_failure
    if code == 0 and recap.tasks == 0 and options.tags:
        raise RolesError(
            f"No task has the tag {', '.join(options.tags)}.",
            "A tag is the name of a role: see playbooks/site.yml.",
        )
    if code == 0:
        return recap
    if failure is None:
        raise RolesError("Ansible stopped before a task failed.", details="\n".join(translator.output_tail))
    others = sorted({other.host for other in translator.failures} - {failure.host})
    also = f" (and on {', '.join(others)})" if others else ""
    own_machines = options.inventory != VAGRANT_INVENTORY
    if failure.unreachable:
        remedy = "`python -m runner site` without --tags or --limit brings missing hosts up."
        if own_machines:
            remedy = f"Check that the machine runs and that {options.inventory} has its address and ssh key."
        raise HostsError(f"{failure.host} cannot be reached{also}: {failure.message}", remedy)
    place = f"{failure.host} by ssh" if own_machines else f"it with `python -m runner ssh {failure.host}`"
    details = failure.output
    if failure.unit:
        lines = journal(failure.host, failure.unit, options.inventory, ansible_environment())
        details = "\n".join([details, f"The end of {failure.unit}'s journal on {failure.host}:", *lines]).strip()
    raise RolesError(
        f"{failure.host}: {failure.where} failed{also}: {failure.message}",
        f"Look at {place}, then run the same command again.",
        details,
    )
