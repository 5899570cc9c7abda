"""Connections to a host: the options of ssh, the settings of Vagrant, and the host's key."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from runner.errors import HostsError
from runner.machines import ssh
from runner.machines.hosts import ssh_command
from runner.machines.ssh import SshTarget, wait_for_ssh
from runner.machines.vagrant import Vagrant
from runner.state import CHECKOUT
from tests.support.own_machines import machine, own_machines
from tests.support.polling import wait_until

# As `vagrant ssh-config` of two machines prints it
TWO_MACHINES = """Host controller
  HostName 127.0.0.1
  User vagrant
  Port 2222
  UserKnownHostsFile /dev/null
  StrictHostKeyChecking no
  PasswordAuthentication no
  IdentityFile "/home/ada/my checkout/.vagrant/machines/controller/virtualbox/private_key"
  IdentitiesOnly yes
  LogLevel FATAL

Host node-1
  HostName 127.0.0.1
  User vagrant
  Port 2200
  IdentityFile /home/ada/key
"""


def target(directory: Path, port: int = 2222) -> SshTarget:
    key, known_hosts = directory / "key", directory / "known_hosts"
    return SshTarget("node-1", "127.0.0.1", port, "core", key, known_hosts, "4ddc8269042f")


@pytest.fixture(name="program")
def fixture_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Puts a program first on the PATH."""

    def program(name: str, text: str) -> None:
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{path.parent}:{os.environ['PATH']}")

    return program


def test_only_a_shell_for_a_person_may_ask(tmp_path: Path) -> None:
    one = target(tmp_path)
    assert "BatchMode=yes" in one.command("true")
    assert "BatchMode=yes" not in one.command(batch=False)
    assert one.command("uptime", "-p")[-3:] == ["127.0.0.1", "uptime", "-p"]


def test_a_persons_configuration_is_not_read_and_paths_are_what_they_are(tmp_path: Path) -> None:
    directory = tmp_path / 'it\'s 100% "x" \\ “ü” #1'
    one = target(directory)
    command = ["ssh", "-G", *one.command("true")[1:]]
    assert command[2:4] == ["-F", "none"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    values = dict(line.partition(" ")[::2] for line in shown)
    assert values["userknownhostsfile"] == str(one.known_hosts)
    assert values["identityfile"].replace("%%", "%") == str(one.key)


def test_an_own_machine_is_reached_as_ansible_reaches_it() -> None:
    given = {
        "ansible_host": "203.0.113.7",
        "ansible_port": 2222,
        "ansible_user": "admin",
        "ansible_ssh_private_key_file": "~/.ssh/id",
        "ansible_ssh_common_args": "-o 'UserKnownHostsFile=/home/ada/my hosts'",
    }
    one = own_machines(machines={"zeta": machine("zeta", **given)})
    assert ssh_command(one, "zeta", "uptime", "-p") == [
        *("ssh", "-o", "UserKnownHostsFile=/home/ada/my hosts"),
        *("-p", "2222", "-l", "admin", "-i", "~/.ssh/id", "203.0.113.7", "uptime", "-p"),
    ]


def test_what_an_inventory_leaves_out_is_left_to_ssh() -> None:
    assert ssh_command(own_machines(), "worker-b") == ["ssh", "worker-b"]
    with pytest.raises(HostsError, match="The inventory has no node-1; it has zeta, alpha, worker-b"):
        ssh_command(own_machines(), "node-1")


def test_a_host_that_does_not_answer_is_named_with_what_ssh_said(tmp_path: Path) -> None:
    # Port 1 of the loopback address is nobody's.
    with pytest.raises(HostsError, match=r"node-1, at 127\.0\.0\.1:1, does not answer by ssh") as caught:
        wait_for_ssh([target(tmp_path, port=1)], 0.3)
    assert "Connection refused" in caught.value.details


def test_a_host_that_was_made_with_another_key_is_not_waited_for(
    tmp_path: Path, program: Callable[[str, str], None]
) -> None:
    program("ssh", "echo 'core@127.0.0.1: Permission denied (publickey).' >&2; exit 255")
    with pytest.raises(HostsError, match=r"node-1, .*, does not accept the key") as caught:
        wait_for_ssh([target(tmp_path)], 600)
    assert "`python -m runner destroy`" in caught.value.remedy


def test_no_hosts_are_not_waited_for() -> None:
    wait_for_ssh([], 0)


def test_a_host_that_answers_later_is_waited_for(
    tmp_path: Path, program: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh, "POLL_SECONDS", 0.01)
    tries = tmp_path / "tries"
    program("ssh", f"echo x >> {tries}; [ $(wc -l < {tries}) -ge 3 ]")
    answered: list[str] = []
    wait_for_ssh([target(tmp_path)], 10, lambda one: answered.append(one.host))
    assert answered == ["node-1"]
    assert tries.read_text(encoding="utf-8").count("x") == 3


@pytest.fixture(name="vagrant")
def fixture_vagrant(tmp_path: Path, program: Callable[[str, str], None]) -> Callable[[str], Path]:
    """A stand-in whose machines run and have this ssh configuration; returns the file that gets its calls."""

    def vagrant(config: str) -> Path:
        (tmp_path / "config").write_text(config, encoding="utf-8")
        states = "".join(f"1,{name},state,running\\n" for name in re.findall(r"Host (\S+)", config))
        program(
            "vagrant",
            f'echo "$1" >> {tmp_path}/calls\n'
            f'if [ "$1" = status ]; then printf "{states}"; else cat {tmp_path}/config; fi',
        )
        return tmp_path / "calls"

    return vagrant


def create(checkout: Path, name: str = "controller") -> Path:
    """The notes that Vagrant keeps of a machine."""
    machine = checkout / ".vagrant" / "machines" / name / "virtualbox"
    machine.mkdir(parents=True)
    (machine / "id").write_text("0b5c", encoding="utf-8")
    return machine


def test_before_vagrant_has_made_a_machine_it_is_not_asked(tmp_path: Path, vagrant: Callable[[str], Path]) -> None:
    calls = vagrant(TWO_MACHINES)
    assert Vagrant(tmp_path, "virtualbox").targets() == {}
    assert not calls.exists()


def test_the_sections_of_an_ssh_config(tmp_path: Path, vagrant: Callable[[str], Path]) -> None:
    vagrant(TWO_MACHINES)
    create(tmp_path)
    found = Vagrant(tmp_path, "virtualbox").targets()
    assert list(found) == ["controller", "node-1"]
    assert str(found["controller"].key).startswith("/home/ada/my checkout/")
    assert found["node-1"].port == 2200


def test_vagrant_is_asked_again_only_after_it_touched_a_machine(tmp_path: Path, vagrant: Callable[[str], Path]) -> None:
    machine = create(tmp_path)
    calls = vagrant(TWO_MACHINES.partition("\n\n")[0])
    machines = Vagrant(tmp_path, "virtualbox")

    first, second = machines.targets(), machines.targets()

    assert calls.read_text(encoding="utf-8").split() == ["status", "ssh-config"]
    assert first == second
    assert (first["controller"].port, first["controller"].host_key_alias) == (2222, "0b5c")
    os.utime(machine / "id", ns=(1, 1))
    machines.targets()
    assert calls.read_text(encoding="utf-8").split() == 2 * ["status", "ssh-config"]


def test_a_failure_of_vagrant_shows_the_end_of_its_output(tmp_path: Path, program: Callable[[str, str], None]) -> None:
    program("vagrant", 'echo "==> node-1: Creating the container..."; echo "port is already allocated" >&2; exit 1')
    with pytest.raises(HostsError, match="`vagrant up` failed with exit code 1") as caught:
        Vagrant(tmp_path, "docker").bring_up(["node-1"], lambda _: None)
    assert "port is already allocated" in caught.value.details
    assert str(tmp_path / ".cluster" / "logs" / "vagrant.log") in caught.value.remedy


def test_vagrant_works_on_its_checkout_whatever_is_exported(
    tmp_path: Path, program: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    program("vagrant", "pwd; env")
    for name in ("VAGRANT_CWD", "VAGRANT_DOTFILE_PATH", "VAGRANT_VAGRANTFILE", "RUBYOPT", "http_proxy"):
        monkeypatch.setenv(name, str(tmp_path / "elsewhere"))
    lines: list[str] = []
    Vagrant(tmp_path, "docker").bring_up(["node-1"], lines.append)
    assert lines[0] == str(tmp_path)
    assert [line for line in lines if "elsewhere" in line] == []
    assert "VAGRANT_CHECKPOINT_DISABLE=1" in lines


# A run of the runner that a test can interrupt, whatever it waits for.
INTERRUPTIBLE = """
import signal, sys
from pathlib import Path
from runner.machines.ssh import SshTarget, wait_for_ssh
from runner.machines.vagrant import Vagrant
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.default_int_handler)
place = Path(sys.argv[1])
try:
    {work}
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def start(work: str, place: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", INTERRUPTIBLE.format(work=work), str(place)]
    return subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True)


def started(file: Path) -> int:
    """Wait until a stand-in has written its process id, and return that."""
    return int(
        wait_until(lambda: file.read_text("utf-8").strip() if file.exists() else "", "the program starts", seconds=30)
    )


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_the_wait_for_a_host(
    tmp_path: Path, program: Callable[[str, str], None], number: signal.Signals
) -> None:
    program("ssh", f"echo $$ > {tmp_path}/pid; exec sleep 600")
    one = 'SshTarget("node-1", "127.0.0.1", 1, "core", place, place, "an-id")'
    with start(f"wait_for_ssh([{one}], 600)", tmp_path) as child:
        pid = started(tmp_path / "pid")
        child.send_signal(number)
        output, _ = child.communicate()
    assert output == "interrupted\n"
    assert not psutil.pid_exists(pid)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_gives_vagrant_time_to_end(
    tmp_path: Path, program: Callable[[str, str], None], number: signal.Signals
) -> None:
    program(
        "vagrant",
        f"trap 'echo done > {tmp_path}/cleanup; exit 1' INT\n"
        f"echo $$ > {tmp_path}/pid; while :; do sleep 600 & wait; done",
    )
    with start('Vagrant(place, "docker").bring_up(["node-1"], print)', tmp_path) as child:
        pid = started(tmp_path / "pid")
        child.send_signal(number)
        output, _ = child.communicate()
    assert output == "interrupted\n"
    assert (tmp_path / "cleanup").read_text("utf-8") == "done\n"
    assert not psutil.pid_exists(pid)


def test_ssh_leaves_the_standard_input_to_the_command_that_follows(
    tmp_path: Path, program: Callable[[str, str], None]
) -> None:
    program("ssh", f"cat > {tmp_path}/read")
    one = 'SshTarget("node-1", "127.0.0.1", 1, "core", place, place, "an-id")'
    work = f"wait_for_ssh([{one}], 600); print(sys.stdin.read())"
    command = [sys.executable, "-c", INTERRUPTIBLE.format(work=work), str(tmp_path)]
    done = subprocess.run(command, cwd=CHECKOUT, input="for the command", capture_output=True, text=True, check=True)
    assert done.stdout == "for the command\n"
    assert (tmp_path / "read").read_text("utf-8") == ""
