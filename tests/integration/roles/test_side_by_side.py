"""Plays that do not wait for each other, and the end of all that a run has started."""

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runner.ansible.play import PlaybookOptions, run_playbook
from runner.errors import RolesError
from runner.stopping import kill, with_env_marker
from tests.support.polling import wait_until

Write = Callable[[str], Path]


def test_hosts_side_by_side_do_not_wait_for_each_other(tmp_path: Path, inventory: Path, playbook: Write) -> None:
    play = playbook(f"""
- name: Begin
  ansible.builtin.wait_for:
    path: "{tmp_path}/went-on"
    timeout: 60
  when: inventory_hostname == 'two'
- name: Go on
  ansible.builtin.file:
    path: "{tmp_path}/went-on"
    state: touch
    mode: "0644"
""")
    options = PlaybookOptions(str(play), inventory=inventory)
    recap = run_playbook(options, lambda event: None, tmp_path / "ansible.log", ["one", "two"])
    assert recap.summary() == "changed=2 on 2 hosts"
    assert "changed: [two]" in (tmp_path / "ansible-two.log").read_text()
    assert "two" not in (tmp_path / "ansible-one.log").read_text()


def test_failure_of_the_first_stops_the_others(tmp_path: Path, inventory: Path, playbook: Write) -> None:
    play = playbook(f"""
- name: Work
  ansible.builtin.shell: |
    if [ {{{{ inventory_hostname }}}} = two ]; then touch {tmp_path}/two; exec sleep 600; fi
    timeout 60 sh -c 'until test -e {tmp_path}/two; do sleep 0.1; done'
    exit 3
  changed_when: false
""")
    with pytest.raises(RolesError, match=r"one: Work failed: non-zero return code"):
        run_playbook(PlaybookOptions(str(play), inventory=inventory), lambda event: None, None, ["one", "two"])


@pytest.fixture
def mark() -> Iterator[str]:
    """A variable's name by which a test knows the processes that it started; none outlives the test."""
    name = f"MARK_{uuid.uuid4().hex}"
    yield name
    kill(with_env_marker(name))


def test_interrupt_ends_ansible_and_all_it_started(tmp_path: Path, inventory: Path, playbook: Write, mark: str) -> None:
    started = tmp_path / "started"
    play = playbook(f"""
- name: Take long
  ansible.builtin.command: sh -c 'echo $$ >> {started}; exec sleep 600'
  changed_when: false
""")
    program = "from pathlib import Path\nfrom runner.ansible.play import PlaybookOptions, run_playbook\n"
    program += f"play = PlaybookOptions({str(play)!r}, limit='one', inventory=Path({str(inventory)!r}))\n"
    program += "run_playbook(play, lambda event: None)\n"
    variables = {**os.environ, mark: "1"}
    child = subprocess.Popen([sys.executable, "-c", program], env=variables, stderr=subprocess.PIPE, text=True)

    def told() -> str:
        assert child.poll() is None
        return started.read_text().strip() if started.exists() else ""

    wait_until(told, "the task has begun", seconds=60)
    assert int(started.read_text()) in {one.pid for one in with_env_marker(mark)}

    child.send_signal(signal.SIGINT)

    _, complaint = child.communicate(timeout=60)
    assert child.returncode == -signal.SIGINT, complaint
    assert "KeyboardInterrupt" in complaint
    assert with_env_marker(mark) == set()
