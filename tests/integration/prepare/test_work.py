"""Jobs and commands end together, and their output is there when one fails."""

import os
import threading
from pathlib import Path

import pytest

from runner.prepare.work import CommandError, StoppedError, Work
from tests.support.polling import wait_until


def test_results_come_in_the_order_of_the_jobs() -> None:
    first_may_end = threading.Event()

    def first() -> int:
        assert first_may_end.wait(5)
        return 1

    def second() -> int:
        first_may_end.set()
        return 2

    assert Work().side_by_side([first, second], 2) == [1, 2]


def test_a_failure_ends_the_commands_of_the_other_jobs(tmp_path: Path) -> None:
    work = Work()
    began = tmp_path / "began"

    def long() -> str:
        # The grandchild would outlive a signal to its parent alone.
        return work.run(["sh", "-c", f"sleep 60 & echo $! > {began}; wait"])

    def failing() -> str:
        wait_until(lambda: began.exists() and began.read_text(), "the other job has begun", seconds=30)
        return work.run(["sh", "-c", "echo because of this; exit 3"])

    with pytest.raises(CommandError) as error:
        work.side_by_side([long, failing], 2)
    assert error.value.output == "because of this"
    grandchild = began.read_text("utf-8").strip()
    wait_until(lambda: not _is_alive(grandchild), "the other job's command has ended", seconds=30)


def _is_alive(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_nothing_starts_after_the_end() -> None:
    work = Work()
    work.stop()
    with pytest.raises(StoppedError):
        work.run(["true"])


def test_lines_are_handed_over_as_they_come() -> None:
    lines: list[str] = []
    Work().run(["sh", "-c", "echo one; echo two >&2"], on_line=lines.append)
    assert lines == ["one", "two"]


def test_a_command_has_no_terminal_and_its_own_session() -> None:
    output = Work().run(["sh", "-c", "ps -o sid= -p $$; cat"])
    assert int(output) != os.getsid(0)
