"""The doctor at work on the machine that runs the tests."""

import gc
import os
from pathlib import Path

import pytest

from runner.doctor import examination as doctor
from runner.doctor.findings import DockerFacts
from runner.doctor.snapshot import take
from tests.unit.doctor.machines import declared


def test_it_sees_this_machine(tmp_path: Path) -> None:
    seen = take(declared(), tmp_path, tmp_path / "cache" / "below")
    assert isinstance(seen.docker, DockerFacts)
    assert seen.cpus == len(os.sched_getaffinity(0))
    assert 0 < seen.memory_mib < 10**7
    assert seen.disk_gib[tmp_path] > 0
    assert not seen.prepared
    assert {"cpu", "memory"} <= seen.cgroup_controllers
    assert any(network.name == "bridge" for network in seen.docker.networks)


def test_every_check_has_one_finding_with_a_remedy_where_there_is_trouble(tmp_path: Path) -> None:
    findings = doctor.examine(declared(), checkout=tmp_path, cache=tmp_path)
    assert len({finding.check for finding in findings}) == len(findings)
    assert all(finding.remedy for finding in findings if finding.grade != "ok")


# Docker's client forgets the socket of a connection that failed.
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_docker_elsewhere_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    findings = {finding.check: finding for finding in doctor.examine(declared(), checkout=tmp_path, cache=tmp_path)}
    assert findings["Docker"].grade == "failure"
    assert "No such file" in findings["Docker"].seen
    assert "Docker's networks" not in findings
    gc.collect()


def test_nothing_to_mend_changes_nothing(tmp_path: Path) -> None:
    told: list[object] = []
    assert doctor.mend(declared(), [], told.append, checkout=tmp_path, cache=tmp_path) == []
    assert told == []
