"""The inventory: every variable that the roles build on, for hosts that are up and for those that are not."""

import json
import shlex
import subprocess
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
import yaml

from runner.ansible import inventory
from runner.declaration.model import load
from runner.errors import PrepareError
from runner.machines.ssh import SshTarget
from runner.prepare import ReleaseManifest, load_release
from runner.state import CHECKOUT, DECLARATION, State

Inventory = dict[str, dict[str, Any]]

STATE = State(Path("/home/ada/my checkout"))
RELEASE = ReleaseManifest(
    id="d6311ab447f6",
    host_image="inaetics-demo-cluster/host:0123",
    binaries={"kubelet": "00ff"},
    images={"inaetics/felix-agent:latest": "sha256:11aa"},
    directory=Path("/home/ada/.cache/releases/d6311ab447f6"),
)
CONTROLLER = SshTarget("controller", "127.0.0.1", 2222, "core", STATE.ssh_key, STATE.known_hosts, "4ddc8269042f")
EXAMPLE = CHECKOUT / "inventory" / "static.example.yml"


@pytest.fixture(name="built")
def fixture_built() -> Inventory:
    return inventory.build_inventory(load(DECLARATION), {"controller": CONTROLLER}, RELEASE, STATE)


def test_groups_are_those_of_the_roles(built: Inventory) -> None:
    assert built["controller"]["hosts"] == built["etcd"]["hosts"] == ["controller"]
    assert built["nodes"]["hosts"] == [f"node-{number}" for number in range(1, 6)]
    assert built["all"]["children"] == ["controller", "nodes", "etcd"]


def test_the_clusters_variables(built: Inventory) -> None:
    assert built["all"]["vars"] == {
        "cluster_name": "inaetics-demo",
        "cluster_provider": "docker",
        "cluster_network": "172.17.8.0/24",
        "cluster_pod_network": "10.1.0.0/16",
        "cluster_service_network": "10.3.0.0/16",
        "cluster_state_dir": str(STATE.directory),
        "cluster_release_id": "d6311ab447f6",
        "cluster_release_dir": "/home/ada/.cache/releases/d6311ab447f6",
        "cluster_release_mounted": True,
        "cluster_binaries": {"kubelet": "00ff"},
        "cluster_images": {"inaetics/felix-agent:latest": "sha256:11aa"},
    }


def test_virtual_machines_get_copies_of_the_release() -> None:
    declared = load(DECLARATION).model_copy(update={"provider": "libvirt"})
    built = inventory.build_inventory(declared, {}, RELEASE, STATE)
    assert built["all"]["vars"]["cluster_release_mounted"] is False


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


def test_the_release_is_read_from_its_manifest(tmp_path: Path) -> None:
    release = tmp_path / "releases" / "abc"
    release.mkdir(parents=True)
    manifest = {"id": "abc", "host_image": "host:1", "binaries": {"etcd": "11"}, "images": {"pause:1": "sha256:22"}}
    (release / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    state = State(tmp_path)
    state.create()
    state.release.symlink_to(release)
    assert load_release(state) == ReleaseManifest.model_validate({**manifest, "directory": release})


def test_without_a_release_the_remedy_is_told(tmp_path: Path) -> None:
    with pytest.raises(PrepareError) as caught:
        load_release(State(tmp_path))
    assert "make prepare" in caught.value.remedy


def test_the_example_of_ones_own_machines_has_every_variable(built: Inventory) -> None:
    example = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))["all"]
    wanted = built["all"]["vars"]
    assert set(example["vars"]) >= set(wanted) - {"cluster_binaries"}
    assert example["vars"]["cluster_release_mounted"] is False
    assert set(example["children"]) == {"controller", "nodes", "etcd"}
    for group in ("controller", "nodes"):
        for variables in example["children"][group]["hosts"].values():
            assert IPv4Address(variables["cluster_address"])
            assert {"ansible_host", "cluster_cpus", "cluster_memory_mib"} <= set(variables)


def test_ansible_reads_the_example() -> None:
    command = [str(CHECKOUT / ".venv" / "bin" / "ansible-inventory"), "-i", str(EXAMPLE), "--list"]
    run = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    listed = json.loads(run.stdout)
    assert listed["etcd"]["hosts"] == ["controller"]
    # From group_vars, which Ansible finds beside the playbooks
    assert listed["_meta"]["hostvars"]["node-1"]["cluster_domain"] == "cluster.local"
