"""An inventory of one's own, read by a real Ansible: templates, defaults, and what cannot be a cluster."""

import subprocess
import sys
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509

from runner.ansible import read_endpoints, read_inventory, rendered
from runner.declaration import pki
from runner.errors import DeclarationError
from runner.state import CHECKOUT, State

EXAMPLE = CHECKOUT / "inventory" / "static.example.yml"


@pytest.fixture(name="inventory")
def fixture_inventory(tmp_path: Path) -> dict[str, Any]:
    """Three machines, of which Ansible has to work out the most."""
    return {
        "vars": {"ansible_user": "{{ lookup('env', 'INAETICS_ADMIN') }}", "cluster_pod_network": "10.51.0.0/16"},
        "children": {
            "control_plane": {"hosts": {"zeta": {"ansible_host": "172.31.254.77"}}},
            "workers": {
                "vars": {"cluster_memory_mib": 2048},
                "hosts": {
                    "worker-b": {"ansible_host": "b.example.org", "cluster_address": "172.31.254.{{ 200 + 1 }}"},
                    "172.31.254.12": {"ansible_port": 2222},
                },
            },
            "etcd": {"children": {"control_plane": {}}},
            "rack": {"hosts": {"worker-b": {}}},
        },
    }


def write(path: Path, inventory: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump({"cluster": inventory}), "utf-8")
    return path


def test_templates_and_defaults_are_values(
    tmp_path: Path, inventory: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INAETICS_ADMIN", "ada")
    found = read_inventory(write(tmp_path / "my machines.yml", inventory))
    assert found.name == "inaetics-demo"
    # What an inventory says of a group wins over the defaults of group_vars.
    assert (found.pod_network, found.service_network) == (IPv4Network("10.51.0.0/16"), IPv4Network("10.3.0.0/16"))
    assert [(one.name, str(one.address), one.memory, one.group) for one in found.hosts] == [
        ("zeta", "172.31.254.77", 1024, "control_plane"),
        ("172.31.254.12", "172.31.254.12", 2048, "workers"),
        ("worker-b", "172.31.254.201", 2048, "workers"),
    ]
    assert found.hosts_matching("workers,zeta") == ["172.31.254.12", "worker-b", "zeta"]
    assert found.hosts_matching("rack") == ["worker-b"]
    assert rendered(found)["cluster"]["children"] == {
        "control_plane": {"hosts": {"zeta": {"ansible_host": "172.31.254.77", "ansible_user": "ada"}}},
        "workers": {
            "hosts": {
                "172.31.254.12": {"ansible_host": "172.31.254.12", "ansible_port": 2222, "ansible_user": "ada"},
                "worker-b": {"ansible_host": "b.example.org", "ansible_user": "ada"},
            }
        },
        "etcd": {"children": {"control_plane": {}}},
    }


def test_domain_and_ports_are_in_certificates_and_kubeconfigs(tmp_path: Path, inventory: dict[str, Any]) -> None:
    inventory["vars"] |= {
        "cluster_domain": "plant.example",
        "cluster_api_url": "https://{{ cluster_controller_address }}:{{ 16000 + 443 }}",
    }
    found, state = read_inventory(write(tmp_path / "machines.yml", inventory)), State(tmp_path)
    pki.ensure(found, read_endpoints(found), state)
    config = yaml.safe_load(state.kubeconfig.read_text())
    assert config["clusters"][0]["cluster"]["server"] == "https://172.31.254.77:16443"
    certificate = x509.load_pem_x509_certificate((state.pki / "certs" / "kube-apiserver.crt").read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "kubernetes.default.svc.plant.example" in names.get_values_for_type(x509.DNSName)
    assert (found.endpoints.etcd_url, found.endpoints.registry) == ("https://172.31.254.77:2379", "172.31.254.77:5000")


def test_the_example_is_an_inventory() -> None:
    found = read_inventory(EXAMPLE)
    assert [(one.name, one.cpus, one.memory) for one in found.hosts] == [
        ("alpha", 1, 1024),
        ("beta", 4, 8192),
        ("gamma", 4, 8192),
    ]


def test_a_file_beside_it_may_be_a_vault(tmp_path: Path, inventory: dict[str, Any]) -> None:
    path, password = write(tmp_path / "machines.yml", inventory), tmp_path / "password"
    secrets = tmp_path / "group_vars" / "cluster.yml"
    secrets.parent.mkdir()
    secrets.write_text("cluster_service_network: 10.53.0.0/16\n", "utf-8")
    password.write_text("opens", "utf-8")
    program = str(Path(sys.executable).with_name("ansible-vault"))
    subprocess.run([program, "encrypt", "--vault-password-file", str(password), str(secrets)], check=True)
    assert str(read_inventory(path, password).service_network) == "10.53.0.0/16"
    with pytest.raises(DeclarationError) as caught:
        read_inventory(path)
    assert "vault" in caught.value.details


def test_an_inventory_without_machines_is_told(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match=r"machines.yml has no machine in a group cluster"):
        read_inventory(write(tmp_path / "machines.yml", {}))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"vars": {"cluster_name": "{{ nowhere }}"}}, "'nowhere' is undefined"),
        ({"vars": {"cluster_pod_network": "10.3.0.0/16"}}, "service_network 10.3.0.0/16 must not overlap pod_network"),
        (
            {"vars": {"cluster_pod_network": "172.31.0.0/16"}},
            "172.31.254.77, which lies in pod_network or service_network",
        ),
        ({"vars": {"cluster_registry": "https://here"}}, "endpoints.registry is 'https://here' but must be HOST:PORT"),
        ({"vars": {"cluster_address": "here"}}, "machines.zeta.address is 'here' but must be an IPv4 address"),
        ({"vars": {"cluster_address": "10.9.0.1"}}, "must not have the address 10.9.0.1, which is that of zeta"),
        (
            {"children": {"workers": {"hosts": {"a": {"cluster_address": "10.9.0.1"}}}}},
            "control_plane must have one machine",
        ),
        ({"hosts": {"stray": {"cluster_address": "10.9.0.2"}}}, "machines.stray.group"),
    ],
)
def test_what_cannot_be_a_cluster_is_told(
    tmp_path: Path, inventory: dict[str, Any], changes: dict[str, Any], reason: str
) -> None:
    path = write(tmp_path / "machines.yml", inventory | changes)
    with pytest.raises(DeclarationError) as caught:
        read_inventory(path)
    assert str(path) in caught.value.message
    assert reason in caught.value.details
