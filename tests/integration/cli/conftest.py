"""A checkout for each test."""

import shutil
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from runner.state import CHECKOUT
from runner.stopping import kill, with_env_marker
from tests.integration.cli.checkout import NOT_HERE, Checkout


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Checkout]:
    made = Checkout(tmp_path / "checkout", f"{tmp_path}/MARK_{uuid.uuid4().hex}")
    shutil.copytree(CHECKOUT / "runner", made.directory / "runner", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(CHECKOUT / "playbooks", made.directory / "playbooks", symlinks=True)
    shutil.copytree(CHECKOUT / "group_vars", made.directory / "group_vars")
    shutil.copy(CHECKOUT / "ansible.cfg", made.directory)
    (made.directory / "artifacts").mkdir()
    shutil.copy(CHECKOUT / "artifacts" / "catalogue.yml", made.directory / "artifacts")
    (made.directory / "inventory").mkdir()
    declared = {"name": "test", "provider": "docker", **NOT_HERE}
    (made.directory / "inventory" / "cluster.yml").write_text(yaml.safe_dump(declared))
    yield made
    kill(with_env_marker(made.mark))


@pytest.fixture
def own_machine(checkout: Checkout) -> Callable[..., list[str]]:
    """`site` on this machine as if it were somebody's own, prepared already: certificates and roles are left."""
    checkout.state.mkdir()
    (checkout.state / "release").mkdir()
    inventory = checkout.directory / "own.ini"
    inventory.write_text(
        f"""
[control_plane]
own ansible_connection=local cluster_address=10.254.7.20 ansible_python_interpreter={sys.executable}
[cluster:children]
control_plane
"""
    )

    def arguments(*more: str) -> list[str]:
        return ["site", "--limit", "own", "--inventory", str(inventory), *more]

    return arguments
