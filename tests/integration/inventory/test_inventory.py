"""The inventory: every variable that the roles build on, for hosts that are up and for those that are not."""

import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from runner.ansible import inventory
from runner.declaration.model import load
from runner.machines.ssh import SshTarget
from runner.state import CHECKOUT, DECLARATION, State

Inventory = dict[str, dict[str, Any]]

STATE = State(Path("/home/ada/my checkout"))
CONTROLLER = SshTarget("controller", "127.0.0.1", 2222, "core", STATE.ssh_key, STATE.known_hosts, "4ddc8269042f")


@pytest.fixture(name="built")
def fixture_built() -> Inventory:
    return inventory.build_inventory(load(DECLARATION), {"controller": CONTROLLER})


def test_groups_are_those_of_the_roles(built: Inventory) -> None:
    assert built["control_plane"]["hosts"] == ["controller"]
    assert built["etcd"]["children"] == ["control_plane"]
    assert built["workers"]["hosts"] == [f"node-{number}" for number in range(1, 6)]
    assert built["cluster"]["children"] == ["control_plane", "workers", "etcd"]


def test_no_group_has_the_name_of_a_host(built: Inventory) -> None:
    """Ansible warns of it at every run, and `--limit` could mean either."""
    assert built.keys() & built["_meta"]["hostvars"].keys() == set()


def test_the_clusters_variables(built: Inventory) -> None:
    names = built["cluster"]["vars"].pop("cluster_host_names")
    assert names.items() >= {"controller": "172.17.8.20", "node-1": "172.17.8.31"}.items()
    assert built["cluster"]["vars"] == {
        "mitogen_ssh_compression": False,
        "cluster_name": "inaetics-demo",
        "cluster_provider": "docker",
        "cluster_pod_network": "10.1.0.0/16",
        "cluster_service_network": "10.3.0.0/16",
    }


def test_one_more_node_changes_nothing_that_the_others_are_told(built: Inventory, tmp_path: Path) -> None:
    (tmp_path / "cluster.yml").write_text(DECLARATION.read_text("utf-8").replace("count: 5", "count: 6"), "utf-8")
    larger = inventory.build_inventory(load(tmp_path / "cluster.yml"), {"controller": CONTROLLER})
    assert larger["workers"]["hosts"] == [*built["workers"]["hosts"], "node-6"]
    assert larger["cluster"]["vars"] == built["cluster"]["vars"]
    assert larger["_meta"]["hostvars"].items() > built["_meta"]["hostvars"].items()
    assert built["cluster"]["vars"]["cluster_host_names"]["node-50"] == "172.17.8.80"


def test_a_host_that_is_up(built: Inventory) -> None:
    variables = built["_meta"]["hostvars"]["controller"]
    assert variables["cluster_address"] == "172.17.8.20"
    assert (variables["cluster_cpus"], variables["cluster_memory_mib"]) == (1, 1024)
    assert (variables["ansible_host"], variables["ansible_port"], variables["ansible_user"]) == (
        "127.0.0.1",
        2222,
        "core",
    )
    arguments = shlex.split(variables["ansible_ssh_common_args"])
    assert arguments[:2] == ["-F", "none"]
    assert f'UserKnownHostsFile="{STATE.known_hosts}"' in arguments
    assert f'IdentityFile="{STATE.ssh_key}"' in arguments


def test_a_host_that_is_not_up_is_known_to_others_and_reached_by_nobody(
    built: Inventory,
) -> None:
    variables = built["_meta"]["hostvars"]["node-5"]
    assert variables["cluster_address"] == "172.17.8.35"
    assert "ansible_host" not in variables
    assert "node-5 is not up" in str(variables["ansible_ssh_common_args"])


def test_a_fresh_checkout_has_an_inventory_and_stays_as_it_is(tmp_path: Path) -> None:
    """Nothing is prepared, Docker does not answer, and no host is up."""
    for part in ("ansible.cfg", "group_vars", "inventory", "playbooks", "runner"):
        copy = shutil.copytree if (CHECKOUT / part).is_dir() else shutil.copy
        copy(CHECKOUT / part, tmp_path / part)
    (tmp_path / ".venv").symlink_to(CHECKOUT / ".venv")

    def files() -> set[Path]:
        return {path for path in tmp_path.rglob("*") if "__pycache__" not in path.parts}

    def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(CHECKOUT / ".venv" / "bin" / program), *arguments]
        environment = {**os.environ, "DOCKER_HOST": "tcp://127.0.0.1:1"}
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    before = files()
    graph = run("ansible-inventory", "--graph")
    assert graph.returncode == 0, graph.stderr
    assert [line for line in graph.stdout.splitlines() if "--node-5" in line] == ["  |  |  |--node-5"]
    assert "Docker does not answer" in graph.stderr
    assert files() == before
    assert "node-5 is not up: see vagrant status" in run("ansible", "node-5", "-m", "ansible.builtin.ping").stdout
