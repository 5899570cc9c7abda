"""inventory/cluster.yml: the original demonstrator's defaults, and errors in the file's own terms."""

from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from runner.declaration.model import Declaration, load
from runner.errors import DeclarationError, ExitCode
from runner.state import DECLARATION

CONTROLLER = "address: 172.17.8.20"
FIRST = "first_address: 172.17.8.31"


def changed(directory: Path, old: str, new: str) -> Path:
    """The project's own file with one text replaced."""
    text = DECLARATION.read_text(encoding="utf-8")
    assert old in text
    path = directory / "cluster.yml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


def refused(path: Path) -> DeclarationError:
    with pytest.raises(DeclarationError) as caught:
        load(path)
    return caught.value


@pytest.fixture(name="declared")
def fixture_declared() -> Declaration:
    return load(DECLARATION)


def test_the_hosts_are_those_of_the_original(declared: Declaration) -> None:
    named = {host.name: str(host.address) for host in declared.hosts}
    assert named == {"controller": "172.17.8.20"} | {f"node-{n}": f"172.17.8.{30 + n}" for n in range(1, 6)}
    assert {(host.cpus, host.memory) for host in declared.hosts} == {(1, 1024)}
    assert [host.group for host in declared.hosts] == ["control_plane"] + 5 * ["workers"]


def test_the_networks_are_those_of_the_original(declared: Declaration) -> None:
    assert declared.pod_network == IPv4Network("10.1.0.0/16")
    assert declared.service_network == IPv4Network("10.3.0.0/16")
    assert declared.gateway == IPv4Address("172.17.8.1")


def test_fifty_nodes_may_be_declared(tmp_path: Path) -> None:
    declared = load(changed(tmp_path, "count: 5", "count: 50"))
    assert str(declared.hosts[-1].address) == "172.17.8.80"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (CONTROLLER, "address: 172.17.8.300", "controller.address is '172.17.8.300' but must be an IPv4 address"),
        (CONTROLLER, "address: 20", "controller.address is 20 but must be an IPv4 address"),
        (CONTROLLER, "address: 172.17.8.1", "172.17.8.1 (controller) must not be this workstation's address"),
        (CONTROLLER, "address: 172.17.8.0", "172.17.8.0 (controller) must not be the network's own address"),
        (CONTROLLER, "address: 172.17.8.33", "172.17.8.33 (node-3) must not be the address of controller"),
        (FIRST, "first_address: 172.17.9.31", "172.17.9.31 (node-1) must lie in network (172.17.8.0/24)"),
        (FIRST, "first_address: 172.17.8.251", "172.17.8.255 (node-5) must not be the network's broadcast address"),
        ("count: 5", "count: 0", "nodes.count is 0 but must be greater than or equal to 1"),
        ("count: 5", "count: 51", "nodes.count is 51 but must be less than or equal to 50"),
        ("count: 5", "count: five", "nodes.count is 'five' but must be a valid integer"),
        ("count: 5", "", "nodes.count is missing"),
        ("cpus: 1", "cpus: true", "controller.cpus is True but must be a valid integer"),
        ("memory: 1024", "memory: 640", "controller.memory is 640 but must be greater than or equal to 768"),
        (
            "provider: docker",
            "provider: vmware",
            "provider is 'vmware' but must be 'docker', 'virtualbox' or 'libvirt'",
        ),
        ("provider: docker", "provder: docker", "provder is not a key that this file knows"),
        ("name: inaetics-demo", "name: Demo_1", "name is 'Demo_1' but must be at most 40 lower case letters"),
        ("network: 172.17.8.0/24", "network: 172.17.8.1/24", "bits set outside the prefix"),
        ("network: 172.17.8.0/24", "network: 8.8.8.0/24", "must be a private network"),
        ("pod_network: 10.1.0.0/16", "pod_network: 172.17.0.0/16", "must not overlap network (172.17.8.0/24)"),
        ("pod_network: 10.1.0.0/16", "pod_network: 10.1.0.0/22", "must have a /24 for each of 6 hosts"),
        ("service_network: 10.3.0.0/16", "service_network: 10.1.8.0/24", "must not overlap pod_network (10.1.0.0/16)"),
        ("service_network: 10.3.0.0/16", "service_network: 192.168.0.0/28", "must have a prefix of /12 to /24"),
        ("nodes:", "nodes: 5\nother:", "nodes is 5 but"),
        ("name: inaetics-demo", "name: one\nname: two", "name is given twice"),
        ("name: inaetics-demo", "name: [", "is not YAML"),
    ],
)
def test_a_mistake_is_told_with_key_value_and_rule(tmp_path: Path, old: str, new: str, said: str) -> None:
    error = refused(changed(tmp_path, old, new))
    assert said in f"{error.message}\n{error.details}"
    assert error.exit_code == ExitCode.DECLARATION


def test_a_mistake_is_told_with_its_line(tmp_path: Path) -> None:
    path = changed(tmp_path, "count: 5", "count: 0")
    line = path.read_text(encoding="utf-8").splitlines().index("  count: 0") + 1
    assert refused(path).message.startswith(f"{path}, line {line}: nodes.count")


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    error = refused(changed(tmp_path, "count: 5", "count: 0\n  colour: blue"))
    assert "2 mistakes" in error.message
    assert "nodes.count" in error.details
    assert "nodes.colour" in error.details


def test_a_file_that_is_not_there_has_a_remedy(tmp_path: Path) -> None:
    error = refused(tmp_path / "cluster.yml")
    assert "cannot read" in error.message
    assert "git checkout" in error.remedy


@pytest.mark.parametrize("content", [b"", b"- a list\n", b"\xff\xfe\x00"])
def test_what_is_no_mapping_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "cluster.yml"
    path.write_bytes(content)
    refused(path)
