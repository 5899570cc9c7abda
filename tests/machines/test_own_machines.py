"""The same roles raise the cluster on machines of one's own, which have any names and addresses, from any folder.

Three hosts stand for such machines. Their inventory says no more than inventory/static.example.yml, apart from that
they are containers, and that their ssh keys are in a file of the test's. They run Debian 13, where the hosts of all
other tests run Debian 12, and their owner has given them a name, settings and a service.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from runner.state import cache_directory
from tests.machines.checkout import NETWORK, WHOLE, Checkout
from tests.machines.plain import USER, debian_13, machines
from tests.support import hostile

# In no order, and none of them an address of the declaration's.
CONTROLLER, *WORKERS = NAMES = ("zeta", "alpha", "worker-b")
ADDRESSES = dict(zip(NAMES, (f"{NETWORK}.{number}" for number in (77, 12, 201)), strict=True))
BRING_IN = """
sudo hostname owners && echo '127.0.1.1 owners\n192.0.2.7 printer' | sudo tee --append /etc/hosts
echo PasswordAuthentication yes | sudo tee /etc/ssh/sshd_config.d/00-owner.conf
sudo systemctl reload ssh
sudo systemd-run --unit=owners python3 -m http.server 9000
"""
OWNERS = f"hostname; sudo cat /etc/hosts /etc/hostname /etc/sudoers.d/{USER}; sudo sshd -T; ls /etc/systemd/*.conf.d"


@pytest.fixture(scope="module", name="checkout")
def fixture_checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    # Blanks, and what has a meaning for ssh, shells, Ansible's templates and formats
    return Checkout.make(tmp_path_factory.mktemp("own") / "it's 100% “über” #1", WHOLE)


@pytest.fixture(scope="module", name="inventory")
def fixture_inventory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    directory = tmp_path_factory.mktemp("elsewhere")
    with machines(directory, debian_13(), f"{NETWORK}.0/24", ADDRESSES):
        hosts = {name: {"ansible_host": address} for name, address in ADDRESSES.items()}
        variables = {
            "ansible_user": USER,
            "ansible_ssh_private_key_file": "{{ inventory_dir }}/key",
            "ansible_ssh_common_args": "-o UserKnownHostsFile={{ inventory_dir }}/known_hosts",
            "cluster_name": "plant",
            "cluster_hosts_are_containers": True,
        }
        groups = {
            "control_plane": {"hosts": {CONTROLLER: hosts.pop(CONTROLLER)}},
            "workers": {"hosts": hosts},
            "etcd": {"children": {"control_plane": {}}},
        }
        path = directory / "machines.yml"
        path.write_text(yaml.safe_dump({"cluster": {"vars": variables, "children": groups}}), encoding="utf-8")
        yield path


def runner(checkout: Checkout, command: str, *arguments: str, **variables: str) -> str:
    return checkout.run(sys.executable, "-m", "runner", command, *arguments, **variables)


def on(checkout: Checkout, inventory: Path, name: str, command: str) -> str:
    return runner(checkout, "ssh", f"--inventory={inventory}", name, "--", command).strip()


@pytest.fixture(scope="module", name="owners")
def fixture_owners(checkout: Checkout, inventory: Path) -> dict[str, str]:
    """The settings of machines whose owner has some, before the cluster comes."""
    for name in NAMES:
        on(checkout, inventory, name, BRING_IN)
    return {name: on(checkout, inventory, name, OWNERS) for name in NAMES}


def test_a_check_of_bare_machines_names_all_and_changes_nothing(checkout: Checkout, inventory: Path) -> None:
    output = runner(checkout, "site", "--check", "--json", f"--inventory={inventory}")
    finished = [event for event in map(json.loads, output.splitlines()) if event["event"] == "TaskFinished"]
    assert {event["status"] for event in finished} == {"ok", "changed", "skipped"}
    roles = {event["role"] for event in finished if event["status"] == "changed"}
    assert roles == {path.name for path in (checkout.directory / "roles").iterdir()} - {"common"}
    look = "ls -d /opt/cluster/bin /etc/etcd /etc/kubernetes 2>/dev/null || true"
    assert on(checkout, inventory, CONTROLLER, look) == ""


def test_the_roles_raise_the_cluster_there(checkout: Checkout, inventory: Path, owners: dict[str, str]) -> None:
    output = runner(checkout, "site", f"--inventory={inventory}")
    assert f"http://{ADDRESSES[CONTROLLER]}/" in output


def test_the_owners_settings_are_as_they_were(checkout: Checkout, inventory: Path, owners: dict[str, str]) -> None:
    assert {name: on(checkout, inventory, name, OWNERS) for name in NAMES} == owners
    assert "NOPASSWD" not in on(checkout, inventory, WORKERS[0], "sudo cat /etc/sudoers.d/cluster")


def test_each_machine_got_the_programs_of_its_group_and_no_more(checkout: Checkout, inventory: Path) -> None:
    assert on(checkout, inventory, CONTROLLER, "test -L /opt/cluster/bin || ls /opt/cluster/bin").split() == [
        "etcd",
        "etcdctl",
        "etcdutl",
        "flanneld",
        "kube-apiserver",
        "kube-controller-manager",
        "kube-proxy",
        "kube-scheduler",
        "kubectl",
        "registry",
    ]
    assert "kubelet" in on(checkout, inventory, WORKERS[0], "ls /opt/cluster/bin").split()


@pytest.mark.parametrize("options", [["--check"], []], ids=["check", "run"])
def test_a_second_run_changes_nothing_there(
    checkout: Checkout, inventory: Path, tmp_path: Path, options: list[str]
) -> None:
    """A person's exported variables and configuration do not change that."""
    # What is prepared is there.
    variables = hostile.environment(tmp_path) | {"XDG_CACHE_HOME": str(cache_directory().parent)}
    output = runner(checkout, "site", "--json", *options, f"--inventory={inventory}", **variables)
    statuses = {event["status"] for event in map(json.loads, output.splitlines()) if event["event"] == "TaskFinished"}
    assert statuses == {"ok", "skipped"}


def test_ansible_playbook_by_hand_changes_nothing_either(checkout: Checkout, inventory: Path) -> None:
    """Without the runner's choices of strategy and environment."""
    output = checkout.run("ansible-playbook", "-i", str(inventory), "playbooks/site.yml", "--tags=host,kube-node")
    assert output.count("changed=0 ") == len(NAMES)


@pytest.mark.parametrize("named", [True, False], ids=["named", "remembered"])
def test_the_other_commands_know_the_machines(checkout: Checkout, inventory: Path, *, named: bool) -> None:
    """They take the same inventory, and that of the last `site` where none is named."""
    given = [f"--inventory={inventory}"] if named else []
    status = json.loads(runner(checkout, "status", "--json", *given))
    assert {host["name"]: (host["address"], host["state"]) for host in status["hosts"]} == {
        name: (address, "own machine") for name, address in ADDRESSES.items()
    }
    assert {node["name"]: node["ready"] for node in status["nodes"]} == {ADDRESSES[name]: True for name in WORKERS}
    listed = runner(checkout, "kubectl", *given, "--", "get", "nodes", "--output=name")
    assert sorted(listed.split()) == sorted(f"node/{ADDRESSES[name]}" for name in WORKERS)
    context = runner(checkout, "kubectl", *given, "--", "config", "current-context")
    assert context.strip() == "plant"
    assert runner(checkout, "ssh", *given, WORKERS[1], "--", "hostname; whoami").split() == ["owners", USER]


def test_every_host_is_verified_and_what_is_the_owners_is_no_fault(checkout: Checkout, inventory: Path) -> None:
    output = runner(checkout, "verify", f"--inventory={inventory}")
    assert " passed" in output
    assert "failed" not in output.splitlines()[-1]


def test_a_name_that_the_inventory_does_not_have(checkout: Checkout, inventory: Path) -> None:
    command = [sys.executable, "-m", "runner", "ssh", f"--inventory={inventory}", "node-1"]
    run = subprocess.run(command, cwd=checkout.directory, capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert "there is no host 'node-1'." in run.stderr
    assert f"There are: {', '.join((CONTROLLER, *sorted(WORKERS)))}." in run.stderr
