"""The commands that need no cluster do the same in an environment in which everything is set badly, all at once."""

import json
import re
import subprocess
import sys
from collections.abc import Callable

import pytest

from runner.state import CHECKOUT
from tests.integration.cli.checkout import Checkout
from tests.support import hostile

# A role is found, a module is sent, no colour is asked for, and a socket has a short path.
PLAY = """
- name: Tell
  ansible.builtin.command: printenv LC_ALL TZ TMPDIR http_proxy ANSIBLE_SKIP_TAGS PYTHONPATH
  register: told
  changed_when: false
  failed_when: told.stdout != "C.UTF-8\\nUTC"
- name: Write “ü”
  ansible.builtin.copy: {content: “ü”, dest: "{{ playbook_dir }}/written", mode: "0644"}
"""
CONFTEST = """
def pytest_addoption(parser):
    parser.addoption("--variables-of")

def pytest_configure(config):
    config.addinivalue_line("markers", "disruptive")
"""


@pytest.fixture(name="variables")
def fixture_variables(checkout: Checkout) -> dict[str, str]:
    return hostile.environment(checkout.directory.parent / "hostile")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["site", "--help"],
        ["status", "--json"],
        ["kubectl", "--", "get", "nodes"],
        ["ssh", "controller"],
        ["destroy"],
        ["bogus"],
    ],
    ids=" ".join,
)
def test_a_command_says_the_same(checkout: Checkout, variables: dict[str, str], arguments: list[str]) -> None:
    usual = checkout.run(*arguments)
    done = checkout.run(*arguments, **variables)
    assert (done.returncode, done.stderr) == (usual.returncode, usual.stderr)
    assert _without_times(done.stdout) == _without_times(usual.stdout)


def test_the_doctor_looks_at_this_machine(checkout: Checkout, variables: dict[str, str]) -> None:
    done = checkout.run("doctor", "--json", **variables)
    assert done.stderr == ""
    found = {one["check"]: one["grade"] for one in map(json.loads, done.stdout.splitlines())}
    assert found["Docker"] == found["Vagrant"] == "ok"


def test_a_run_plays_its_playbook(
    checkout: Checkout, own_machine: Callable[..., list[str]], variables: dict[str, str]
) -> None:
    checkout.playbook(PLAY)
    (checkout.directory / ".venv").symlink_to(sys.prefix)
    done = checkout.run(*own_machine(), **variables)
    assert (done.returncode, done.stderr) == (0, "")
    assert "changed=1 on 1 host" in done.stdout
    assert "\x1b" not in done.stdout
    assert (checkout.directory / "playbooks" / "written").stat().st_mode & 0o777 == 0o644


def test_hosts_are_tested(checkout: Checkout, own_machine: Callable[..., list[str]], variables: dict[str, str]) -> None:
    inventory = own_machine()[-1]
    tests = checkout.directory / "tests" / "hosts"
    tests.mkdir(parents=True)
    (tests / "pytest.ini").write_bytes((CHECKOUT / "tests" / "hosts" / "pytest.ini").read_bytes())
    (tests / "conftest.py").write_text(CONFTEST)
    (tests / "test_it.py").write_text('def test_it(host): assert host.check_output("echo $LC_ALL") == "C.UTF-8"\n')
    (tests / "test_kill.py").write_text("import pytest\n@pytest.mark.disruptive\ndef test_kill(host): assert False\n")
    done = checkout.run("verify", "--inventory", inventory, **variables)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def test_the_inventory_finds_its_packages(checkout: Checkout, variables: dict[str, str]) -> None:
    script = checkout.directory / "inventory" / "vagrant.py"
    script.write_bytes((CHECKOUT / "inventory" / "vagrant.py").read_bytes())
    (checkout.directory / ".venv").symlink_to(sys.prefix)
    done = subprocess.run(
        [sys.executable, script, "--list"], env=variables, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["_meta"]["hostvars"].keys() == {"controller", "node-1"}


def _without_times(text: str) -> list[str]:
    return [re.sub(r"\d+\.\d( s)?|\d{4}-[-\dT.]+", "#", line) for line in text.splitlines()]
