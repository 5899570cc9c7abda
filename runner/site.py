"""From nothing, or from whatever is there, to a running cluster: the steps strung together."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from runner.ansible import play as roles
from runner.ansible.play import Play
from runner.cluster import ready
from runner.declaration import pki
from runner.declaration.model import Declaration
from runner.declaration.selection import named
from runner.doctor import examination as doctor
from runner.errors import MachineError
from runner.events import Note, Report, StepFinished, StepStarted
from runner.machines import hosts
from runner.paths import near
from runner.prepare.pipeline import prepare


@dataclass
class Ended:
    """What a step achieved, in a few words, for its line."""

    summary: str = ""


@contextmanager
def step(name: str, report: Report) -> Iterator[Ended]:
    """Tell when a step begins and how it ends."""
    started = time.monotonic()
    ended = Ended()
    report(StepStarted(name))
    try:
        yield ended
    except KeyboardInterrupt:
        report(StepFinished(name, time.monotonic() - started, "interrupted"))
        raise
    except BaseException:
        report(StepFinished(name, time.monotonic() - started, "failed"))
        raise
    report(StepFinished(name, time.monotonic() - started, "ok", ended.summary))


@dataclass(frozen=True)
class Places:
    """Where a run keeps things: this checkout's state, the cache of all checkouts, and the run's own directory."""

    state: Path
    cache: Path
    run: Path


def site(play: Play, mirror: str | None, declaration: Declaration, places: Places, report: Report) -> None:
    """Run every step that is needed; each one is a no-op where its work is done already.

    A play with tags or a limit, on a cluster that was raised before, needs neither `prepare` nor `ready`.
    """
    own_machines = play.inventory != roles.INVENTORY
    if not own_machines:
        with step("doctor", report) as ended:
            ended.summary = sound(declaration, report)
    if not (play.partial and (places.state / "release").exists()):
        with step("prepare", report) as ended:
            ended.summary = f"release {prepare(places.cache, places.state, report, mirror).id}"
    with step("certificates", report):
        pki.ensure(declaration, places.state)
    if not own_machines:
        with step("hosts", report):
            hosts.up(declaration, report, named(play.limit, declaration))
    with step("roles", report) as ended:
        ended.summary = roles.run(play, report, places.run / "ansible.log").summary()
    if not (play.partial or play.check):
        with step("ready", report):
            ready.wait(declaration, places.state, report, own_machines=own_machines)


def sound(declaration: Declaration, report: Report) -> str:
    """Mend what can safely be mended on this machine, and say how many checks it passes.

    Raises:
        MachineError: something is left that would make the run fail.
    """
    findings = doctor.mend(declaration, doctor.examine(declaration), report)
    failures = [finding for finding in findings if finding.grade == "failure"]
    if failures:
        checks = ", ".join(finding.check for finding in failures)
        details = "\n".join(f"{finding.check}: {finding.seen}. {finding.remedy}" for finding in failures)
        raise MachineError(f"This machine is not ready: {checks}.", "Apply the remedies above, and try again.", details)
    for finding in findings:
        if finding.grade == "warning":
            report(Note("doctor", f"{finding.check}: {finding.seen}. {finding.remedy}", "warning"))
    return f"{len(findings)} checks"


def addresses(declaration: Declaration, state: Path) -> dict[str, str]:
    """What to open when the cluster runs, and where the token is that changes what runs."""
    page = f"http://{declaration.controller.address}"
    token = near(pki.provisioning_token(state))
    return {"dashboard": f"{page}/", "provisioning": f"{page}:90/", "its token": str(token)}
