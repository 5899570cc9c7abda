"""Ansible behind one function: run a playbook, tell what happens, say what failed.

ansible-runner keeps what it is given (variables, the whole environment) in files. It gets a
directory of its own for each run, which is gone afterwards; what stays is Ansible's text in `log`.
"""

import json
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner import processes
from runner.ansible.journal import journal
from runner.ansible.translate import HostRecap, Recap, Translator
from runner.errors import HostsError, RolesError
from runner.events import Report
from runner.paths import CHECKOUT

__all__ = ["HostRecap", "Play", "Recap", "environment", "run"]

INVENTORY = CHECKOUT / "inventory" / "vagrant.py"
GRACE = 3.0  # seconds that Ansible has to end by itself after Ctrl-C
POLL = 0.2


@dataclass(frozen=True)
class Play:
    """What Ansible shall do: a playbook of playbooks/ (or the path of one) and its usual options."""

    playbook: str
    tags: Sequence[str] = ()
    limit: str | None = None
    check: bool = False
    diff: bool = False
    extra_vars: Mapping[str, str] = field(default_factory=dict)
    inventory: Path = INVENTORY

    @property
    def partial(self) -> bool:
        """Whether only a part of the roles or of the hosts is meant."""
        return bool(self.tags or self.limit)


def run(play: Play, report: Report, log: Path | None = None) -> Recap:
    """Run a playbook and return what it did on each host; Ansible's own text goes to `log`.

    Raises:
        HostsError: a host could not be reached.
        RolesError: a task failed, or Ansible could not start.
    """
    with (
        tempfile.TemporaryDirectory(prefix="inaetics-roles-") as private,
        log.open("w", encoding="utf-8") if log else nullcontext() as text,
    ):
        translator = Translator(report, text)
        (Path(private) / "env").mkdir()
        _write(private, "settings", {"pexpect_timeout": POLL, "suppress_output_file": True})
        if play.extra_vars:
            _write(private, "extravars", dict(play.extra_vars))
        code = _play(private, _options(play), translator)
    return _judge(play, translator, code)


def _options(play: Play) -> dict[str, Any]:
    switches = [name for name, wanted in (("--check", play.check), ("--diff", play.diff)) if wanted]
    return {
        "playbook": str(CHECKOUT / "playbooks" / play.playbook),
        "inventory": [str(play.inventory)],
        "tags": ",".join(play.tags) or None,
        "limit": play.limit,
        "cmdline": " ".join(switches) or None,
    }


def _write(private: str, name: str, content: dict[str, Any]) -> None:
    (Path(private) / "env" / name).write_text(json.dumps(content), encoding="utf-8")


def environment() -> dict[str, str]:
    """What Ansible's programs need to know beyond the user's environment."""
    return {
        # The programs of this very virtual environment, also when it is not activated.
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
        "ANSIBLE_NOCOLOR": "1",
        # ansible-runner switches the check of ssh host keys off unless it is told otherwise.
        "ANSIBLE_HOST_KEY_CHECKING": "True",
    }


def _play(private: str, options: dict[str, Any], translator: Translator) -> int:
    """Run Ansible in a thread, so that Ctrl-C reaches this one and can stop it in good order."""
    import ansible_runner  # type: ignore[import-untyped] # it has no types

    interrupted = threading.Event()
    stopper = _Stopper(private, interrupted)
    thread, runner = ansible_runner.run_async(
        private_data_dir=private,
        project_dir=str(CHECKOUT),  # its working directory
        fact_cache_type="",  # or it would replace what ansible.cfg says
        envvars=environment(),
        suppress_env_files=True,
        quiet=True,
        event_handler=translator.handle,
        cancel_callback=stopper.cancelled,
        **options,
    )
    try:
        while thread.is_alive():
            thread.join(POLL)
    finally:
        interrupted.set()
        try:
            thread.join()
        finally:  # a second Ctrl-C does not wait
            processes.kill(processes.mentioning(private))
    return int(runner.rc)


class _Stopper:
    """Ends Ansible as Ctrl-C in a terminal would, and by force when it does not listen.

    Its workers lead sessions of their own, so that a signal to its process group misses them;
    all of them carry the private directory in their environment.
    """

    def __init__(self, private: str, interrupted: threading.Event) -> None:
        self._private = private
        self._interrupted = interrupted
        self._asked_at: float | None = None

    def cancelled(self) -> bool:
        """Called by ansible-runner every POLL seconds; True makes it kill what it started."""
        if not self._interrupted.is_set():
            return False
        if self._asked_at is None:
            self._asked_at = time.monotonic()
            for pid in processes.mentioning(self._private):
                if processes.parent(pid) == os.getpid():
                    processes.send(pid, signal.SIGINT)
        return time.monotonic() - self._asked_at > GRACE


def _judge(play: Play, translator: Translator, code: int) -> Recap:
    if translator.defect is not None:
        raise translator.defect
    recap = translator.recap
    failure = translator.first_failure
    if code == 0 and recap.tasks == 0 and play.tags:
        raise RolesError(
            f"No task has the tag {', '.join(play.tags)}.",
            "A tag is the name of a role: see playbooks/site.yml.",
        )
    if code == 0:
        return recap
    if failure is None:
        raise RolesError("Ansible stopped before a task failed.", details="\n".join(translator.last_words))
    others = sorted({other.host for other in translator.failures} - {failure.host})
    also = f" (and on {', '.join(others)})" if others else ""
    if failure.unreachable:
        raise HostsError(
            f"{failure.host} cannot be reached{also}: {failure.message}",
            "`python -m runner site` without --tags or --limit brings missing hosts up.",
        )
    details = failure.output
    remedy = f"Look around with `python -m runner ssh {failure.host}`, then run the same command again."
    if failure.unit:
        lines = journal(failure.host, failure.unit, play.inventory, environment())
        details = "\n".join([details, f"The end of {failure.unit}'s journal on {failure.host}:", *lines]).strip()
    raise RolesError(f"{failure.host}: {failure.where} failed{also}: {failure.message}", remedy, details)
