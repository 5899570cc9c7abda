"""Commands and parallel jobs: their output as it comes, and their end together, in order, with nothing left."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from runner import process, stopping
from runner.process import CancelledError, CommandError, JobRunner
from runner.state import CHECKOUT
from tests.support.polling import wait_until

# Runs a command as a step of the runner does, in a process that a test can interrupt.
CHILD = """
import signal, sys
from runner import process, stopping
for number in stopping.STOP_SIGNALS:
    signal.signal(number, signal.default_int_handler)
stopping.TERMINATE_SECONDS = 0.2
show = lambda line: print(line, flush=True)
try:
    process.run(["sh", "-c", sys.argv[1]], on_line=show, interrupt_seconds=float(sys.argv[2]))
except KeyboardInterrupt:
    show("interrupted")
"""
DEAF = "trap '' INT TERM HUP; "
FOR_EVER = "while :; do sleep 600 & wait; done"


def start(script: str, interrupt_seconds: float = 0.2) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", CHILD, script, str(interrupt_seconds)]
    return subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True)


def line(child: "subprocess.Popen[str]") -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


def is_alive(pid: str) -> bool:
    return psutil.pid_exists(int(pid)) and psutil.Process(int(pid)).status() != psutil.STATUS_ZOMBIE


def test_output_comes_line_by_line_and_the_standard_output_is_returned() -> None:
    lines: list[str] = []
    output = process.run(["sh", "-c", r"echo one; echo two >&2; printf '50%%\r100%%\nthe end'"], on_line=lines.append)
    assert output == "one\n50%\n100%\nthe end"
    assert sorted(lines) == sorted(["one", "two", "50%", "100%", "the end"])


def test_a_line_arrives_before_the_command_has_ended(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "go on")
    # The command reads a pipe that nobody writes to before its first line is there.
    process.run(
        ["sh", "-c", "echo ready; cat 'go on'"],
        cwd=tmp_path,
        on_line=lambda line: (tmp_path / "go on").write_text("", "utf-8") if line == "ready" else None,
    )


def test_a_failure_tells_its_code_and_the_end_of_the_output() -> None:
    with pytest.raises(CommandError, match="` ended with exit code 3") as caught:
        process.run(["sh", "-c", "seq 100; echo because of this >&2; exit 3"])
    assert caught.value.code == 3
    assert "because of this" in caught.value.output.splitlines()
    assert len(caught.value.output.splitlines()) == 30


def test_a_command_gets_only_the_input_that_is_meant_for_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "input").write_text("of the runner", encoding="utf-8")
    before = os.dup(0)
    try:
        with (tmp_path / "input").open() as file:
            os.dup2(file.fileno(), 0)
        assert process.run(["cat"]) == ""
        assert process.run(["cat"], stdin="of the command") == "of the command"
        assert os.read(0, 100) == b"of the runner"
    finally:
        os.dup2(before, 0)
        os.close(before)


def test_a_command_leads_a_session_of_its_own_unless_it_shares_the_terminal() -> None:
    assert int(process.run(["sh", "-c", "ps -o sid= -p $$"])) != os.getsid(0)
    assert int(process.run(["sh", "-c", "ps -o sid= -p $$"], share_terminal=True)) == os.getsid(0)


def test_a_program_in_the_background_that_keeps_the_pipes_is_not_waited_for(tmp_path: Path) -> None:
    pid = process.run(["sh", "-c", "sleep 600 & echo $!"])
    assert is_alive(pid)
    os.kill(int(pid), signal.SIGKILL)


def test_a_time_limit_ends_a_command_and_all_it_started() -> None:
    pids: list[str] = []
    with pytest.raises(CommandError, match="took too long") as caught:
        process.run(["sh", "-c", "echo $$; sleep 600 & echo $!; wait"], on_line=pids.append, timeout=0.2)
    assert caught.value.code is None
    assert [is_alive(pid) for pid in pids] == [False, False]


@pytest.mark.parametrize("error", [CommandError, ZeroDivisionError])
def test_a_command_that_ends_between_two_looks_at_it_is_reaped(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    children: list[psutil.Process] = []

    def stop(*_: object) -> Iterator[bool]:
        children.extend(psutil.Process().children())
        children[0].kill()
        wait_until(lambda: children[0].status() == psutil.STATUS_ZOMBIE, "the command has ended", seconds=10)
        yield from ()

    def listen(_: str) -> None:
        if error is ZeroDivisionError:
            raise error

    monkeypatch.setattr(process, "stop_in_order", stop)
    with pytest.raises(error):
        process.run(["sh", "-c", "echo; exec sleep 600"], on_line=listen, timeout=0.2)
    assert not children[0].is_running()


def test_an_error_of_the_listener_ends_the_command() -> None:
    pids: list[str] = []

    def fail(pid: str) -> None:
        pids.append(pid)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        process.run(["sh", "-c", f"echo $$; {FOR_EVER}"], on_line=fail)
    assert not is_alive(pids[0])


@pytest.mark.parametrize("number", stopping.STOP_SIGNALS)
def test_a_signal_gives_a_command_time_to_end(number: signal.Signals) -> None:
    with start(f"trap 'echo cleans up; exit 0' INT; echo $$; {FOR_EVER}", interrupt_seconds=600) as child:
        pid = line(child)
        child.send_signal(number)
        assert [line(child), line(child)] == ["cleans up", "interrupted"]
        assert child.wait() == 0
    assert not is_alive(pid)


@pytest.mark.parametrize("number", stopping.STOP_SIGNALS)
def test_a_command_that_ignores_signals_is_killed_with_all_it_started(number: signal.Signals) -> None:
    # setsid: a signal to the command's process group would miss it.
    with start(f"{DEAF} setsid sh -c 'echo $$; {FOR_EVER}' & wait; echo $$; {FOR_EVER}") as child:
        pids = [line(child)]
        child.send_signal(number)
        out, _ = child.communicate()
    assert out.endswith("interrupted\n")
    assert not is_alive(pids[0])


def test_another_signal_does_not_wait_for_the_time_limit() -> None:
    script = f"trap 'echo asked' INT; trap 'echo told; exit' TERM; echo $$; {FOR_EVER}"
    with start(script, interrupt_seconds=600) as child:
        line(child)
        child.send_signal(signal.SIGINT)
        assert line(child) == "asked"
        child.send_signal(signal.SIGINT)
        assert [line(child), line(child)] == ["told", "interrupted"]


def test_results_come_in_the_order_of_the_jobs() -> None:
    first_may_end = threading.Event()

    def first() -> int:
        first_may_end.wait()
        return 1

    def second() -> int:
        first_may_end.set()
        return 2

    assert JobRunner().run_parallel([first, second], 2) == [1, 2]
    assert JobRunner().run_parallel([], 0) == []


def test_a_failure_ends_the_commands_of_the_other_jobs() -> None:
    jobs = JobRunner()
    began = threading.Event()
    pids: list[str] = []
    never_started: list[int] = []

    def long() -> None:
        def note(pid: str) -> None:
            pids.append(pid)
            began.set()

        # Its child would outlive a signal to the command alone, and ignores the first two.
        jobs.run(["sh", "-c", f"{DEAF} echo $$; sleep 600 & wait"], on_line=note, interrupt_seconds=0.1)

    def failing() -> None:
        began.wait()
        jobs.run(["sh", "-c", "echo because of this; exit 3"])

    with pytest.raises(CommandError) as error:
        jobs.run_parallel([long, failing, lambda: never_started.append(1)], 2)
    assert error.value.output == "because of this"
    assert not is_alive(pids[0])
    assert never_started == []


def test_nothing_starts_after_a_cancellation() -> None:
    jobs = JobRunner()
    jobs.cancel()
    for call in (jobs.check, lambda: jobs.run(["true"])):
        with pytest.raises(CancelledError):
            call()


def test_a_signal_cancels_parallel_jobs() -> None:
    jobs = JobRunner()

    def interrupt() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        jobs.run(["sleep", "600"])

    with pytest.raises(KeyboardInterrupt):
        jobs.run_parallel([interrupt, lambda: jobs.run(["sleep", "600"])], 2)


def test_one_signal_leaves_parallel_jobs_their_time(tmp_path: Path) -> None:
    """One job that ends at once must not count as a second Ctrl-C for the others."""
    jobs = JobRunner()
    handler = f"sleep 1; echo ended in order >{tmp_path}/end; exit"
    script = f"trap '{handler}' INT; touch {tmp_path}/ready; while :; do sleep 0.1; done"

    def interrupt() -> None:
        wait_until((tmp_path / "ready").exists, "the other job runs", seconds=10)
        os.kill(os.getpid(), signal.SIGINT)
        jobs.run(["sleep", "600"])

    with pytest.raises(KeyboardInterrupt):
        jobs.run_parallel([interrupt, lambda: jobs.run(["sh", "-c", script])], 2)
    assert (tmp_path / "end").read_text("utf-8") == "ended in order\n"


def test_a_signal_that_this_process_ignores_stays_ignored() -> None:
    """As SIGHUP under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert process.run(["sh", "-c", f"kill -HUP {os.getpid()}; echo goes on"]) == "goes on"
    finally:
        signal.signal(signal.SIGHUP, before)


def test_processes_are_found_by_a_variable_that_they_were_started_with() -> None:
    marker = f"MARK_{os.getpid()}_{time.monotonic_ns()}"
    with subprocess.Popen(["sleep", "600"], env={**os.environ, marker: "1"}) as child:
        assert {one.pid for one in stopping.with_env_marker(marker)} == {child.pid}
        stopping.kill(stopping.with_env_marker(marker))
    assert stopping.with_env_marker(marker) == set()
