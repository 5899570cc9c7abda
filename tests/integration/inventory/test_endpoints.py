"""The endpoints of the declared cluster's servers, which certificates and kubeconfigs are made from."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from runner.state import CHECKOUT

SHOW = """
from runner.ansible import read_endpoints
from runner.declaration import load
from runner.errors import DeclarationError
from runner.state import DECLARATION
try:
    print(read_endpoints(load(DECLARATION)).model_dump_json())
except DeclarationError as error:
    print(error.message, error.remedy, error.details, sep="\\n")
"""
DEFAULTS = (
    '{"api_url":"https://172.17.8.20:6443","etcd_url":"https://172.17.8.20:2379",'
    '"registry":"172.17.8.20:5000","domain":"cluster.local"}'
)


@pytest.fixture(name="checkout")
def fixture_checkout(tmp_path: Path) -> Path:
    for part in ("runner", "inventory", "group_vars", "playbooks"):
        shutil.copytree(CHECKOUT / part, tmp_path / part, symlinks=True, ignore=shutil.ignore_patterns("local.yml"))
    shutil.copy(CHECKOUT / "ansible.cfg", tmp_path)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    return tmp_path


def shown(checkout: Path) -> str:
    command = [sys.executable, "-c", SHOW]
    return subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=True).stdout.strip()


def test_without_files_of_a_users_own_they_are_the_defaults_as_ansible_renders_them(checkout: Path) -> None:
    assert shown(checkout) == DEFAULTS
    (checkout / "inventory" / "host_vars").mkdir()
    (checkout / "inventory" / "host_vars" / "node-1.yml").write_text("kube_node_max_pods: 20\n", "utf-8")
    assert shown(checkout) == DEFAULTS  # now Ansible was asked


@pytest.mark.parametrize("place", ["group_vars/cluster/local.yml", "inventory/host_vars/controller.yml"])
def test_what_a_user_sets_counts(checkout: Path, place: str) -> None:
    (checkout / place).parent.mkdir(exist_ok=True)
    given = 'cluster_domain: plant.example\ncluster_api_url: "https://{{ cluster_controller_address }}:16443"\n'
    (checkout / place).write_text(given, "utf-8")
    assert shown(checkout) == DEFAULTS.replace("6443", "16443").replace("cluster.local", "plant.example")


def test_a_mistake_is_told_with_the_place_to_correct_it(checkout: Path) -> None:
    (checkout / "group_vars" / "cluster" / "local.yml").write_text("cluster_api_url: https://here\n", "utf-8")
    said = shown(checkout)
    assert "Correct what you have set below group_vars" in said
    assert "api_url is 'https://here' but must be https://HOST:PORT" in said
