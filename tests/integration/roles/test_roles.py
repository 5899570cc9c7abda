"""runner/ansible runs a real, tiny playbook on this machine: what it reports, raises and leaves behind."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from runner import environment
from runner.ansible.play import PlaybookOptions, run_playbook
from runner.errors import HostsError, RolesError
from runner.events import Event, Note, Progress, TaskFinished

Write = Callable[[str], Path]


def test_reports_every_task_with_its_seconds_and_what_it_changed(
    tmp_path: Path, inventory: Path, playbook: Write
) -> None:
    events: list[Event] = []
    play = playbook(
        f"""
- name: Write a file
  ansible.builtin.copy:
    dest: "{tmp_path}/{{{{ inventory_hostname }}}}"
    content: x
- name: Skip this
  ansible.builtin.command: /bin/false
  when: false
"""
    )
    log = tmp_path / "ansible.log"

    recap = run_playbook(PlaybookOptions(str(play), inventory=inventory), events.append, log=log)

    both = {"one": 1, "two": 1}
    counts = {name: recap.stats[name] for name in ("processed", "ok", "changed", "skipped", "failures", "dark")}
    assert counts == {"processed": both, "ok": both, "changed": both, "skipped": both, "failures": {}, "dark": {}}
    assert recap.summary() == "changed=2 on 2 hosts"
    assert Progress("roles", "two", "Write a file") in events
    finished = [event for event in events if isinstance(event, TaskFinished)]
    assert sorted((event.host, event.status) for event in finished if event.task == "Write a file") == [
        ("one", "changed"),
        ("two", "changed"),
    ]
    assert all(event.seconds > 0 for event in finished if event.status == "changed")
    assert [event.status for event in finished if event.task == "Skip this"] == ["skipped", "skipped"]
    assert Progress("roles", "one", "", finished=True) in events
    assert "TASK [Write a file]" in log.read_text()
    assert "\x1b" not in log.read_text()

    again = run_playbook(PlaybookOptions(str(play), inventory=inventory), events.append)
    assert again.summary() == "changed=0 on 2 hosts"


def test_failed_task_is_told_with_host_task_message_and_output(inventory: Path, playbook: Write) -> None:
    play = playbook("""
- name: Fail on purpose
  ansible.builtin.command: sh -c 'echo out; echo err >&2; exit 3'
  changed_when: false
""")
    with pytest.raises(RolesError) as caught:
        run_playbook(PlaybookOptions(str(play), inventory=inventory), lambda event: None)
    assert caught.value.message == "one: Fail on purpose failed (and on two): non-zero return code"
    assert caught.value.remedy == "Look at it with `python -m runner ssh one`, then run the same command again."
    assert caught.value.details == "out\nerr"


def test_failed_item_of_a_loop_is_named(inventory: Path, playbook: Write) -> None:
    play = playbook("""
- name: Assert each
  ansible.builtin.assert:
    that: item != 'b'
    fail_msg: "{{ item }} is not wanted here"
  loop: [a, b, c]
""")
    with pytest.raises(RolesError) as caught:
        run_playbook(PlaybookOptions(str(play), limit="one", inventory=inventory), lambda event: None)
    assert caught.value.message.startswith("one: Assert each (b) failed: b is not wanted here")


def test_failed_unit_brings_its_journal_or_says_why_not(inventory: Path, playbook: Write) -> None:
    play = playbook("""
- name: Start nothing
  start_services:
    names: [no-such-unit]
""")
    play.write_text(f"{play.read_text()}  roles: [common]\n")
    with pytest.raises(RolesError) as caught:
        run_playbook(PlaybookOptions(str(play), limit="one", inventory=inventory), lambda event: None)
    assert re.search("The (end of the )?journal of no-such-unit.service on one", caught.value.details)


def test_ignored_and_rescued_failures_are_none(inventory: Path, playbook: Write) -> None:
    play = playbook("""
- name: May fail
  ansible.builtin.command: /bin/false
  changed_when: false
  ignore_errors: true
- name: Try
  block:
    - name: Fails
      ansible.builtin.command: /bin/false
      changed_when: false
  rescue:
    - name: Rescue
      ansible.builtin.command: /bin/true
      changed_when: false
""")
    recap = run_playbook(PlaybookOptions(str(play), inventory=inventory), lambda event: None)
    assert recap.tasks("changed") == 0


def test_unreachable_host_is_an_error_of_the_hosts(tmp_path: Path, playbook: Write) -> None:
    nobody_listens = tmp_path / "hosts.ini"
    nobody_listens.write_text("lost ansible_host=127.0.0.1 ansible_port=1 ansible_user=nobody\n")
    play = playbook("""
- name: Ping
  ansible.builtin.ping:
""")
    with pytest.raises(HostsError) as caught:
        run_playbook(PlaybookOptions(str(play), inventory=nobody_listens), lambda event: None)
    assert caught.value.message.startswith("lost cannot be reached: ")


def test_check_mode_changes_nothing_and_diff_is_shown(tmp_path: Path, inventory: Path, playbook: Write) -> None:
    target = tmp_path / "target"
    target.write_text("old\n")
    play = playbook(f"""
- name: Change a line
  ansible.builtin.copy:
    dest: {target}
    content: "new\\n"
""")
    events: list[Event] = []
    recap = run_playbook(
        PlaybookOptions(str(play), limit="one", check=True, diff=True, inventory=inventory), events.append
    )
    assert recap.summary() == "changed=1 on 1 host"
    assert target.read_text() == "old\n"
    note = next(event for event in events if isinstance(event, Note))
    assert note.message.startswith("one: Change a line\n--- before")
    assert "-old\n+new" in note.message


def test_unknown_tag_limit_and_broken_playbook_are_told(inventory: Path, playbook: Write) -> None:
    play = playbook("""
- name: Ping
  ansible.builtin.ping:
  tags: [known]
""")
    with pytest.raises(RolesError, match="No task has the tag typo"):
        run_playbook(PlaybookOptions(str(play), tags=["typo"], inventory=inventory), lambda event: None)
    with pytest.raises(RolesError) as nobody:
        run_playbook(PlaybookOptions(str(play), limit="nobody", inventory=inventory), lambda event: None)
    assert "no hosts" in nobody.value.details.lower()
    play.write_text("- hosts: all\n  roles: [no-such-role]\n")
    with pytest.raises(RolesError) as broken:
        run_playbook(PlaybookOptions(str(play), inventory=inventory), lambda event: None)
    assert "no-such-role" in broken.value.details


def test_variables_arrive_and_no_secret_is_left(
    tmp_path: Path, inventory: Path, playbook: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = tmp_path / "tmp"
    private.mkdir()
    monkeypatch.setenv("TMPDIR", str(private))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv("SOME_TOKEN", "secret-of-the-environment")
    play = playbook(f"""
- name: Use the variable
  ansible.builtin.copy:
    dest: {tmp_path}/length
    content: "{{{{ password | length }}}}"
""")
    log = tmp_path / "ansible.log"
    variables = {"password": "secret-of-the-variables"}
    run_playbook(
        PlaybookOptions(str(play), limit="one", extra_vars=variables, inventory=inventory), lambda event: None, log=log
    )

    assert (tmp_path / "length").read_text() == str(len("secret-of-the-variables"))
    leaks = [path for path in [log, *private.rglob("*")] if path.is_file() and "secret-of" in path.read_text()]
    assert leaks == []
    assert not list(private.glob("inaetics-roles-*"))


def test_playbooks_run_by_mitogen_and_other_programs_of_ansible_do_not(
    tmp_path: Path, inventory: Path, playbook: Write
) -> None:
    play = playbook(f"""
- name: Write the strategy
  ansible.builtin.copy:
    dest: {tmp_path}/strategy
    content: "{{{{ lookup('ansible.builtin.config', 'DEFAULT_STRATEGY') }}}}"
""")
    run_playbook(PlaybookOptions(str(play), limit="one", inventory=inventory), lambda event: None)
    assert (tmp_path / "strategy").read_text() == "mitogen_on_all_cpus"
    assert "ANSIBLE_STRATEGY" not in environment.of_programs()


def test_variables_come_from_files_too_and_from_a_vault(tmp_path: Path, inventory: Path, playbook: Write) -> None:
    password, vault = tmp_path / "pass word", tmp_path / "own vault.yml"
    password.write_text("opens", "utf-8")
    vault.write_text("password: of-the-vault\n", "utf-8")
    program = str(Path(sys.executable).with_name("ansible-vault"))
    subprocess.run([program, "encrypt", "--vault-password-file", str(password), str(vault)], check=True)
    play = playbook(f"""
- name: Use both
  ansible.builtin.copy:
    dest: {tmp_path}/both
    content: "{{{{ password }}}} {{{{ servers | join(',') }}}}"
""")
    options = PlaybookOptions(
        str(play),
        limit="one",
        extra_vars={"servers": ["a", "b"]},
        extra_files=[vault],
        vault_password_file=password,
        inventory=inventory,
    )
    run_playbook(options, lambda event: None)
    assert (tmp_path / "both").read_text() == "of-the-vault a,b"


def test_what_a_listener_raises_is_not_lost(inventory: Path, playbook: Write) -> None:
    def raise_defect(event: Event) -> None:
        raise ZeroDivisionError

    play = playbook("""
- name: Ping
  ansible.builtin.ping:
""")
    with pytest.raises(ZeroDivisionError):
        run_playbook(PlaybookOptions(str(play), inventory=inventory), raise_defect)
