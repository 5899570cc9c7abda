"""The checks on the machine that runs the tests."""

import gc
import os
import socket
from pathlib import Path

import pytest

from runner import doctor
from runner.doctor.snapshot import collect
from tests.support.machines import declared


def test_the_snapshot_describes_this_machine(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        observed = collect(declared(), tmp_path, tmp_path / "cache" / "below")
        assert server.getsockname()[1] in observed.listening
    assert observed.docker.problem == ""
    assert observed.cpus == len(os.sched_getaffinity(0))
    assert 0 < observed.memory_mib < 10**7
    assert observed.disk_gib[tmp_path] > 0
    assert not observed.prepared
    assert {"cpu", "memory"} <= observed.cgroup_controllers
    assert any(network.name == "bridge" for network in observed.docker.networks)


def test_every_check_has_one_finding_with_a_remedy_unless_it_is_ok(tmp_path: Path) -> None:
    findings = doctor.examine(declared(), checkout=tmp_path, cache=tmp_path)
    assert len({finding.check for finding in findings}) == len(findings)
    assert all(finding.remedy for finding in findings if finding.severity != "ok")


# Docker's client forgets the socket of a connection that failed.
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_docker_elsewhere_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    findings = {finding.check: finding for finding in doctor.examine(declared(), checkout=tmp_path, cache=tmp_path)}
    assert findings["Docker"].severity == "failure"
    assert "No such file" in findings["Docker"].observed
    assert "Docker's networks" not in findings
    gc.collect()
