"""Connections to a host: the options of ssh, the settings of Vagrant, and the host's key."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.errors import HostsError
from runner.machines import ssh
from runner.machines.ssh import SshTarget, greet
from runner.machines.vagrant import Machines, parse_ssh_config

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


def test_the_sections_of_an_ssh_config() -> None:
    found = parse_ssh_config(TWO_MACHINES)
    assert list(found) == ["controller", "node-1"]
    assert found["controller"]["IdentityFile"].startswith("/home/ada/my checkout/")
    assert found["node-1"]["Port"] == "2200"


def test_a_host_is_known_by_its_identity_not_by_its_port(tmp_path: Path) -> None:
    one = target(tmp_path)
    assert not one.known
    one.known_hosts.write_text("another ssh-ed25519 AAAA\n", encoding="utf-8")
    assert not one.known
    one.known_hosts.write_text(f"{one.identity} ssh-ed25519 AAAA\n", encoding="utf-8")
    assert one.known


def test_only_a_shell_for_a_person_may_ask(tmp_path: Path) -> None:
    one = target(tmp_path)
    assert "BatchMode=yes" in one.command("true")
    assert "BatchMode=yes" not in one.command(batch=False)
    assert one.command("uptime", "-p")[-3:] == ["127.0.0.1", "uptime", "-p"]


def test_a_host_that_does_not_answer_is_named_with_what_ssh_said(tmp_path: Path) -> None:
    # Port 1 of the loopback address is nobody's.
    with pytest.raises(HostsError, match=r"node-1 does not answer by ssh at 127\.0\.0\.1:1") as caught:
        greet([target(tmp_path, port=1)], 0.3, lambda _: None)
    assert "Connection refused" in caught.value.details


def test_no_hosts_need_no_greeting() -> None:
    greet([], 0, lambda _: None)


def test_a_host_that_answers_later_is_waited_for(
    tmp_path: Path, program: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh, "POLL_SECONDS", 0.01)
    tries = tmp_path / "tries"
    program("ssh", f"echo x >> {tries}; [ $(wc -l < {tries}) -ge 3 ]")
    answered: list[str] = []
    greet([target(tmp_path)], 10, lambda one: answered.append(one.host))
    assert answered == ["node-1"]
    assert tries.read_text(encoding="utf-8").count("x") == 3


def test_vagrant_is_asked_again_only_after_it_touched_a_machine(
    tmp_path: Path, program: Callable[[str, str], None]
) -> None:
    machine = tmp_path / ".vagrant" / "machines" / "controller" / "virtualbox"
    machine.mkdir(parents=True)
    (machine / "id").write_text("0b5c", encoding="utf-8")
    calls = tmp_path / "calls"
    (tmp_path / "config").write_text(TWO_MACHINES.partition("\n\n")[0], encoding="utf-8")
    program(
        "vagrant",
        f'echo "$1" >> {calls}\n'
        'if [ "$1" = status ]; then echo "1,controller,provider-name,virtualbox"; echo "1,controller,state,running"\n'
        f"else cat {tmp_path}/config; fi",
    )
    machines = Machines(tmp_path, "virtualbox")

    first, second = machines.targets(), machines.targets()

    assert calls.read_text(encoding="utf-8").split() == ["status", "ssh-config"]
    assert first == second
    assert (first["controller"].port, first["controller"].identity) == (2222, "0b5c")
    os.utime(machine / "id", ns=(1, 1))
    machines.targets()
    assert calls.read_text(encoding="utf-8").split() == 2 * ["status", "ssh-config"]


def test_a_failure_of_vagrant_shows_the_end_of_its_output(tmp_path: Path, program: Callable[[str, str], None]) -> None:
    program("vagrant", 'echo "==> node-1: Creating the container..."; echo "port is already allocated" >&2; exit 1')
    with pytest.raises(HostsError, match="`vagrant up` failed with exit code 1") as caught:
        list(Machines(tmp_path, "docker").up(["node-1"]))
    assert "port is already allocated" in caught.value.details
    assert str(tmp_path / ".cluster" / "logs" / "vagrant.log") in caught.value.remedy
