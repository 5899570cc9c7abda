"""The command line as a person or a script meets it: a real process, its exit code and what it prints."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.declaration import load
from runner.declaration.applied import UPGRADES, Applied
from runner.state import State
from runner.stopping import with_env_marker
from tests.integration.cli.checkout import Checkout
from tests.support.polling import wait_until

Arguments = Callable[..., list[str]]

PING = "[{name: Ping, ansible.builtin.ping: }]"
SLEEP = "[{name: Take long, ansible.builtin.command: sleep 600, changed_when: false}]"
FAIL = "[{name: Fail on purpose, ansible.builtin.fail: {msg: it was asked for}}]"


def events(checkout: Checkout) -> str:
    return "".join(path.read_text() for path in checkout.state.glob("runs/*/events.jsonl"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["bogus"], "No such command 'bogus'"),
        (["statsu"], "Did you mean 'status'?"),
        (["site", "--bogus"], "No such option: --bogus"),
        (["site", "-e", "novalue"], "'novalue' is not KEY=VALUE"),
        (["ssh"], "Missing argument 'HOST'"),
        (["site", "--tags", "etcd,flanel"], "there is no role 'flanel'. Did you mean 'flannel'?"),
        (["site", "-e", "cluster_nane=x"], "no role reads 'cluster_nane'. Did you mean 'cluster_name'?"),
        (["site", "--limit", "node-1,cntroller"], "there is no host or group 'cntroller'. Did you mean 'controller'?"),
        (["verify", "--limit", "worker"], "there is no host or group 'worker'. Did you mean 'workers'?"),
        (["ssh", "node1"], "there is no host 'node1'. Did you mean 'node-1'? There are: controller, node-1."),
    ],
)
def test_what_cannot_be_understood(checkout: Checkout, arguments: list[str], said: str) -> None:
    done = checkout.run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Usage: python -m runner" in done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not checkout.state.exists()


def test_bad_declaration_is_told_before_anything_happens(checkout: Checkout) -> None:
    (checkout.directory / "inventory" / "cluster.yml").write_text("name: Test\n")
    done = checkout.run("site")
    assert done.returncode == 3
    assert "name" in done.stderr
    assert "Traceback" not in done.stderr
    assert not checkout.state.exists()


@pytest.mark.parametrize("arguments", [[], ["--tags", "flannel"], ["--check"]], ids=" ".join)
def test_a_change_that_only_another_cluster_could_have_is_told_before_anything_happens(
    checkout: Checkout, arguments: list[str]
) -> None:
    (checkout.state / "pki").mkdir(parents=True)
    (checkout.state / "pki" / "encryption-key").touch()
    path = checkout.directory / "inventory" / "cluster.yml"
    path.write_text(path.read_text().replace("provider: docker", "provider: libvirt"))
    versions = dict.fromkeys(UPGRADES, "v1.0.0")
    Applied.of(load(path), path.with_name("vagrant.py"), versions).write(State(checkout.directory))
    made = checkout.directory / ".vagrant" / "machines" / "node-1" / "libvirt"
    made.mkdir(parents=True)
    (made / "id").touch()
    path.write_text(path.read_text().replace("10.252.0.0/16", "10.251.0.0/16"))

    done = checkout.run("site", *arguments)

    assert done.returncode == 3
    assert "pod_network 10.252.0.0/16, not 10.251.0.0/16, version of kubernetes v1.0.0, not v" in done.stderr
    assert "To do: Take the change back; or `python -m runner destroy`" in done.stderr
    assert "Started" not in events(checkout)
    assert sorted(one.name for one in checkout.state.iterdir()) == ["applied.json", "lock", "pki", "runs"]


@pytest.mark.parametrize("arguments", [["kubectl", "--", "get", "nodes"], ["status"]])
def test_nothing_is_sent_to_a_network_that_is_not_here(checkout: Checkout, arguments: list[str]) -> None:
    done = checkout.run(*arguments)
    assert done.returncode in (6, 8)
    assert "The hosts' network 10.254.7.0/24 does not exist on this machine." in done.stderr
    assert "`python -m runner site`" in done.stderr


def test_status_as_json_tells_what_there_is(checkout: Checkout) -> None:
    shown = json.loads(checkout.run("status", "--json").stdout)
    assert [(host["name"], host["state"]) for host in shown["hosts"]] == [
        ("controller", "not_created"),
        ("node-1", "not_created"),
    ]
    assert shown["certificates"] == []


def test_a_run_as_lines(checkout: Checkout, own_machine: Arguments) -> None:
    checkout.playbook(PING)
    done = checkout.run(*own_machine())
    assert (done.returncode, done.stderr) == (0, "")
    shown = re.sub(r"(?<=\s)\d+\.\d( s)?(?=\s)|\d{4}-[-\dT.]+", "#", done.stdout)
    assert [" ".join(line.split()) for line in shown.splitlines()] == [
        "certificates",
        "certificates #",
        "roles",
        "roles # changed=0 on 1 host",
        "",
        "step seconds",
        "certificates #",
        "roles #",
        "total #",
        "",
        "demonstrator http://10.254.7.20/",
        "dashboard http://10.254.7.20/dashboard",
        "provisioning http://10.254.7.20:90/",
        "token for changes .cluster/provisioning-token",
        "kubectl export KUBECONFIG=$PWD/.cluster/kubeconfig",
        "this run .cluster/runs/#/",
    ]
    (directory,) = (checkout.state / "runs").iterdir()
    assert "TASK [Ping]" in (directory / "ansible.log").read_text()
    assert (checkout.state / "kubeconfig").exists()


def test_a_run_as_events(checkout: Checkout, own_machine: Arguments) -> None:
    checkout.playbook(FAIL)
    done = checkout.run(*own_machine("--json"))
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 7
    assert [event["step"] for event in events if event["event"] == "StepFinished"] == ["certificates", "roles"]
    assert events[-1]["event"] == "Failure"
    assert events[-1]["message"] == "own: Fail on purpose failed: it was asked for"
    assert events[-1]["exit_code"] == 7
    (record,) = checkout.state.glob("runs/*/events.jsonl")
    assert [json.loads(line)["event"] for line in record.read_text().splitlines()] == [e["event"] for e in events]


def test_a_failure_is_a_message_and_not_a_page_of_ansible(checkout: Checkout, own_machine: Arguments) -> None:
    checkout.playbook(FAIL)
    done = checkout.run(*own_machine())
    assert done.returncode == 7
    assert done.stderr.splitlines() == [
        "own: Fail on purpose failed: it was asked for",
        "To do: Look at it with `python -m runner ssh own`, then run the same command again.",
    ]


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_run_goes_on_when_nobody_reads_it_any_more(
    checkout: Checkout, own_machine: Arguments, form: list[str]
) -> None:
    checkout.playbook(f"[{{name: Touch, ansible.builtin.copy: {{dest: {checkout.directory}/touched, content: x}}}}]")
    process = checkout.start(*own_machine(*form))
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(timeout=30) == 0
    assert (checkout.directory / "touched").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupt_ends_all_and_leaves_the_way_free(
    checkout: Checkout, own_machine: Arguments, number: signal.Signals
) -> None:
    checkout.playbook(SLEEP)
    process = checkout.start(*own_machine())
    wait_until(lambda: events(checkout), "the task runs", lambda text: "Take long" in text, seconds=30)

    second = checkout.run(*own_machine())
    assert second.returncode == 10
    assert "another run" in second.stderr.lower()

    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.splitlines() == [
        "Interrupted: what was running has been stopped. The same command continues where this one was."
    ]
    assert re.search(r"^roles +\d+\.\d s  interrupted$", out, re.MULTILINE)
    assert with_env_marker(checkout.mark) == set()

    checkout.playbook(PING)
    assert checkout.run(*own_machine()).returncode == 0


def test_a_killed_run_leaves_nothing_to_the_next_one(checkout: Checkout, own_machine: Arguments) -> None:
    checkout.playbook(SLEEP)
    process = checkout.start(*own_machine())
    wait_until(lambda: events(checkout), "the task runs", lambda text: "Take long" in text, seconds=30)
    process.kill()
    process.communicate()
    assert with_env_marker(checkout.mark) != set()  # Ansible does not notice

    checkout.playbook(PING)
    assert checkout.run(*own_machine()).returncode == 0
    assert with_env_marker(checkout.mark) == set()


def test_help_loads_nothing_slow(checkout: Checkout) -> None:
    program = "import sys, runner.cli; print(sorted(sys.modules))"
    command = [sys.executable, "-c", program]
    loaded = subprocess.run(command, cwd=checkout.directory, capture_output=True, text=True, check=True)
    for slow in ("ansible_runner", "docker", "kubernetes", "pydantic", "requests", "vagrant"):
        assert f"'{slow}'" not in loaded.stdout


def test_a_python_without_the_packages_hands_over_to_the_environment(checkout: Checkout) -> None:
    """`python -m runner` by the machine's own Python, as somebody types it who has activated nothing."""
    python = Path(sys.base_prefix, "bin", "python3")
    bare = [str(python), "-S", "-m", "runner", "--help"]  # -S: without any installed package
    lacking = subprocess.run(bare, cwd=checkout.directory, capture_output=True, text=True, check=False)
    assert (lacking.returncode, lacking.stdout) == (4, "")
    assert lacking.stderr == "The virtual environment is missing or incomplete: run `make bootstrap`.\n"
    (checkout.directory / ".venv").symlink_to(sys.prefix)
    found = subprocess.run(bare, cwd=checkout.directory, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (0, "")
    assert "Commands:" in found.stdout
