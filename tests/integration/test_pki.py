"""The cluster's certificates: complete, private, kept while good and replaced when not."""

import subprocess
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
import yaml
from cryptography import x509

from runner.ansible import read_endpoints
from runner.declaration import Cluster, Declaration, load, pki
from runner.state import DECLARATION, State
from tests.support.own_machines import ADDRESSES, machine, own_machines


@pytest.fixture(scope="module")
def declaration() -> Declaration:
    return load(DECLARATION)


def ensure(cluster: Cluster, state: State) -> None:
    pki.ensure(cluster, read_endpoints(cluster), state)


@pytest.fixture
def state(declaration: Declaration, tmp_path: Path) -> State:
    state = State(tmp_path)
    ensure(declaration, state)
    return state


def read(state: State, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((state.pki / "certs" / f"{name}.crt").read_bytes())


def names(state: State, name: str) -> set[str]:
    found = read(state, name).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(one.value) for one in found}


def contents(state: State) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in state.directory.rglob("*") if path.is_file()}


def test_a_second_call_changes_nothing(declaration: Declaration, state: State) -> None:
    before = contents(state)
    ensure(declaration, state)
    assert contents(state) == before


def test_only_the_owner_can_read_keys_and_enter_the_directory(state: State) -> None:
    private = [path for path in state.directory.rglob("*") if path.suffix not in (".crt", ".pub")]
    assert len(private) > 40
    assert {path: oct(path.stat().st_mode & 0o077) for path in private} == dict.fromkeys(private, "0o0")


def test_the_provisioning_servers_token_cannot_be_guessed_and_stays(declaration: Declaration, state: State) -> None:
    token = state.provisioning_token.read_text()
    assert len(token) == 44  # 32 bytes
    ensure(declaration, state)
    assert state.provisioning_token.read_text() == token


def test_every_row_is_issued_by_its_own_authority(declaration: Declaration, state: State) -> None:
    rows = pki.certificate_specs(declaration, read_endpoints(declaration))
    for row in rows:
        certificate = read(state, row.name)
        for name in pki.AUTHORITIES:
            authority = x509.load_pem_x509_certificate((state.pki / "ca" / f"{name}.crt").read_bytes())
            assert (certificate.issuer == authority.subject) == (name == row.authority), row.name
            if name == row.authority:
                certificate.verify_directly_issued_by(authority)


def test_no_two_clients_share_a_key(declaration: Declaration, state: State) -> None:
    rows = pki.certificate_specs(declaration, read_endpoints(declaration))
    keys = {(state.pki / "certs" / f"{row.name}.key").read_bytes() for row in rows}
    assert len(keys) == len(rows)


def test_the_api_server_is_known_by_every_name_it_is_called_by(state: State) -> None:
    names = read(state, "kube-apiserver").extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(names.get_values_for_type(x509.IPAddress)) == {
        IPv4Address("127.0.0.1"),
        IPv4Address("172.17.8.20"),
        IPv4Address("10.3.0.1"),
    }
    assert {"controller", "kubernetes", "kubernetes.default.svc.cluster.local"} <= set(
        names.get_values_for_type(x509.DNSName)
    )


@pytest.mark.parametrize(
    ("name", "common_name", "organization"),
    [
        ("kubelet-node-3", "system:node:172.17.8.33", "system:nodes"),
        ("admin", "admin", "cluster-admins"),
        ("kube-proxy-controller", "system:kube-proxy", "controller"),
        ("flannel-node-1", "flannel", "node-1"),
    ],
)
def test_a_client_is_who_its_certificate_says(state: State, name: str, common_name: str, organization: str) -> None:
    assert read(state, name).subject.rfc4514_string() == f"CN={common_name},O={organization}"


def test_machines_of_other_names_and_scattered_addresses_get_their_own(tmp_path: Path) -> None:
    state = State(tmp_path)
    ensure(own_machines(), state)
    names = read(state, "kube-apiserver").extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    addresses = {str(address) for address in names.get_values_for_type(x509.IPAddress)}
    assert addresses == {"127.0.0.1", ADDRESSES["zeta"], "10.53.0.1"}
    assert "zeta" in names.get_values_for_type(x509.DNSName)
    common_name = f"CN=system:node:{ADDRESSES['worker-b']},O=system:nodes"
    assert read(state, "kubelet-worker-b").subject.rfc4514_string() == common_name
    kubelets = {path.name for path in (state.pki / "certs").glob("kubelet-server-*.crt")}
    assert kubelets == {"kubelet-server-alpha.crt", "kubelet-server-worker-b.crt"}
    config = yaml.safe_load(state.kubeconfig.read_text())
    assert config["clusters"] == [{"name": "plant", "cluster": config["clusters"][0]["cluster"]}]
    assert config["clusters"][0]["cluster"]["server"] == f"https://{ADDRESSES['zeta']}:6443"


def test_names_follow_the_servers_endpoints_and_so_do_kubeconfigs(tmp_path: Path) -> None:
    state, address = State(tmp_path), ADDRESSES["zeta"]
    machines = {name: machine(name) for name in ADDRESSES}
    machines["zeta"]["endpoints"] = {
        "api_url": "https://api.plant.example:16443",
        "etcd_url": "https://172.31.254.78:12379",
        "registry": "images.plant.example:15000",
        "domain": "plant.example",
    }
    ensure(own_machines(machines=machines), state)
    assert {"api.plant.example", "kubernetes.default.svc.plant.example", address} <= names(state, "kube-apiserver")
    assert {"172.31.254.78", address} <= names(state, "etcd")
    assert {"images.plant.example", address} <= names(state, "docker-registry")
    assert names(state, "kube-scheduler-server") == {"zeta", address, "localhost", "127.0.0.1"}
    configs = [state.kubeconfig, *(state.pki / "kubeconfigs").iterdir()]
    servers = {yaml.safe_load(config.read_text())["clusters"][0]["cluster"]["server"] for config in configs}
    assert (servers, len(configs)) == ({"https://api.plant.example:16443"}, 4)


def test_a_certificate_about_to_expire_is_replaced_alone(
    declaration: Declaration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = State(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(pki, "CERTIFICATE_DAYS", pki.RENEW_WHEN_DAYS_LEFT - 1)
        ensure(declaration, state)
    authority = (state.pki / "ca" / "etcd.crt").read_bytes()
    ensure(declaration, state)
    left = read(state, "etcd").not_valid_after_utc - datetime.now(UTC)
    assert left > timedelta(days=pki.CERTIFICATE_DAYS - 1)
    assert (state.pki / "ca" / "etcd.crt").read_bytes() == authority


def test_a_replaced_authority_signs_its_certificates_anew(declaration: Declaration, state: State) -> None:
    before = {name: read(state, name) for name in ("etcd", "kube-apiserver")}
    (state.pki / "ca" / "etcd.crt").unlink()
    ensure(declaration, state)
    assert read(state, "etcd") != before["etcd"]
    assert read(state, "kube-apiserver") == before["kube-apiserver"]


def test_a_new_node_gets_certificates_and_the_others_keep_theirs(declaration: Declaration, state: State) -> None:
    before = contents(state)
    grown = declaration.model_dump(mode="json")
    grown["nodes"]["count"] += 1
    ensure(Declaration.model_validate(grown), state)
    after = contents(state)
    assert {path: after[path] for path in before} == before
    assert {path.name for path in after.keys() - before.keys()} >= {"kubelet-node-6.key", "flannel-node-6.key"}


def test_a_kubeconfig_carries_all_that_it_needs(state: State) -> None:
    config = yaml.safe_load(state.kubeconfig.read_text())
    assert config["clusters"][0]["cluster"]["server"] == "https://172.17.8.20:6443"
    assert set(config["users"][0]["user"]) == {"client-certificate-data", "client-key-data"}


def test_openssl_agrees(state: State) -> None:
    """Another implementation accepts the chain for its purpose, and refuses the wrong one."""
    pki_dir = state.pki

    def verify(authority: str, purpose: str, name: str) -> int:
        command = ["openssl", "verify", "-x509_strict", "-purpose", purpose]
        command += ["-CAfile", str(pki_dir / "ca" / f"{authority}.crt"), str(pki_dir / "certs" / f"{name}.crt")]
        return subprocess.run(command, capture_output=True, check=False).returncode

    assert verify("kubernetes", "sslserver", "kube-apiserver") == 0
    assert verify("kubernetes", "sslclient", "admin") == 0
    assert verify("kubernetes", "sslserver", "admin") != 0
    assert verify("etcd", "sslclient", "admin") != 0
