"""`make test` must not touch the cluster that somebody uses."""

from pathlib import Path

import pytest

from runner.declaration import load
from runner.state import DECLARATION
from tests import own_cluster


@pytest.fixture(name="copy")
def fixture_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(own_cluster, "OWN", tmp_path / "tests")
    own_cluster.copy()
    return tmp_path / "tests"


def test_the_copys_hosts_are_in_another_network(copy: Path) -> None:
    users, own = load(DECLARATION), load(copy / "inventory" / "cluster.yml")
    assert not own.network.overlaps(users.network)
    assert [host.name for host in own.hosts] == [host.name for host in users.hosts]
    assert str(own.controller.address) in (copy / "README.md").read_text("utf-8")


def test_the_copy_has_no_state_of_the_checkout(copy: Path) -> None:
    assert {path.name for path in copy.glob(".*")} == {".venv"}
    assert not list(copy.glob("tests/**/__pycache__"))
