"""The events of a step, the hosts that a limit names, and the addresses at the end of a run."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from runner.declaration.model import Declaration
from runner.events import Event, StepFinished, StepStarted, step
from runner.site import addresses
from runner.state import DECLARATION, State
from runner.verify import pytest_filter


def ended(error: type[BaseException] | None) -> list[Event]:
    events: list[Event] = []
    try:
        with step("hosts", events.append) as end:
            end.summary = "6 up"
            if error:
                raise error
    except (KeyboardInterrupt, ValueError):
        pass
    return events


@pytest.mark.parametrize(
    ("error", "outcome", "summary"),
    [(None, "ok", "6 up"), (ValueError, "failed", ""), (KeyboardInterrupt, "interrupted", "")],
)
def test_a_step_tells_how_it_ended(error: type[BaseException] | None, outcome: str, summary: str) -> None:
    started, finished = ended(error)
    assert started == StepStarted("hosts")
    assert isinstance(finished, StepFinished)
    assert (finished.outcome, finished.summary) == (outcome, summary)
    assert finished.seconds >= 0


@pytest.fixture
def declaration() -> Declaration:
    declared = yaml.safe_load(DECLARATION.read_text())
    return Declaration.model_validate({**declared, "nodes": {**declared["nodes"], "count": 2}})


@pytest.mark.parametrize(
    ("limit", "hosts"),
    [
        (None, None),
        ("node-2", ["node-2"]),
        ("node-2,controller", ["node-2", "controller"]),
        ("workers:etcd", ["node-1", "node-2", "controller"]),
        ("all", ["controller", "node-1", "node-2"]),
        ("cluster", ["controller", "node-1", "node-2"]),
        ("control_plane", ["controller"]),
        ("node-*", None),
        ("all:!node-1", None),
    ],
)
def test_a_limit_names_hosts_or_is_left_to_ansible(
    declaration: Declaration, limit: str | None, hosts: list[str] | None
) -> None:
    assert declaration.hosts_matching(limit) == hosts


@pytest.mark.parametrize(
    "limit", [None, "node-1,etcd", "workers:&all", "node-[1:2]", "node-*", "all:!node-1", "~node.*"]
)
def test_a_limit_of_what_exists_or_of_patterns_passes(declaration: Declaration, limit: str | None) -> None:
    declaration.check_limit(limit)


@pytest.mark.parametrize(("limit", "name"), [("node-3", "node-3"), ("all:!nod-1", "nod-1"), ("etcd,worker", "worker")])
def test_a_limit_of_what_does_not_exist_is_refused(declaration: Declaration, limit: str, name: str) -> None:
    with pytest.raises(ValueError, match=f"there is no host or group '{name}'"):
        declaration.check_limit(limit)


def test_a_run_ends_in_the_addresses_the_place_of_the_token_and_kubectl(declaration: Declaration) -> None:
    assert addresses(declaration, State(Path.cwd())) == {
        "demonstrator": "http://172.17.8.20/",
        "dashboard": "http://172.17.8.20/dashboard",
        "provisioning": "http://172.17.8.20:90/",
        "token for changes": ".cluster/provisioning-token",
        "kubectl": "export KUBECONFIG=$PWD/.cluster/kubeconfig",
    }
    elsewhere = addresses(declaration, State(Path("/a b")))
    assert elsewhere["kubectl"] == "export KUBECONFIG='/a b/.cluster/kubeconfig'"


def test_choice_of_a_host_takes_that_host_alone(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        """
import pytest

@pytest.mark.parametrize("host", ["ansible://node-1", "ansible://node-10", "ansible://controller"])
@pytest.mark.parametrize("unit", ["kubelet", "node-1"])
def test_host(unit, host): pass

@pytest.mark.parametrize("host", ["ansible://node-1", "ansible://node-10"])
def test_alone(host): pass
"""
    )
    command = [sys.executable, "-m", "pytest", "--collect-only", "--quiet", *pytest_filter(["node-1"])]
    chosen = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert [line for line in chosen.splitlines() if line.startswith("test_it")] == [
        "test_it.py::test_host[kubelet-ansible://node-1]",
        "test_it.py::test_host[node-1-ansible://node-1]",
        "test_it.py::test_alone[ansible://node-1]",
    ]
