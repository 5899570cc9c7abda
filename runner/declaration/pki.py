"""The cluster's certificates: a table of who gets what, and the code that keeps it true.

There is one certificate per client, so that each can be told apart in an audit log and replaced
alone. Four authorities keep trust apart: whoever holds a Kubernetes certificate cannot speak to
etcd, and a machine that trusts the registry trusts nothing else by it.

Everything lies below `<state>/pki` (0700; keys and kubeconfigs 0600):
ca/NAME.{crt,key}, certs/NAME.{crt,key}, kubeconfigs/NAME.kubeconfig, service-account.{key,pub},
encryption-key. The provisioning server's token lies beside it.
Requirements: https://kubernetes.io/docs/setup/best-practices/certificates/
"""

import base64
import ipaddress
import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from runner.declaration.model import Declaration

AUTHORITIES = ("kubernetes", "etcd", "front-proxy", "registry")
AUTHORITY_DAYS = 3650
CERTIFICATE_DAYS = 365
RENEW_WHEN_DAYS_LEFT = 30
CLOCK_SKEW = timedelta(minutes=5)
API_PORT = 6443

SERVER = ExtendedKeyUsageOID.SERVER_AUTH
CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH


@dataclass(frozen=True)
class Certificate:
    """One row of the table.

    `names` become subject alternative names, as addresses where they are ones. With `kubeconfig`
    the certificate is also written as a kubeconfig that points at the API server.
    """

    name: str
    authority: str
    common_name: str
    usages: tuple[x509.ObjectIdentifier, ...]
    organization: str = ""
    names: tuple[str, ...] = ()
    kubeconfig: bool = False


@dataclass(frozen=True)
class Authority:
    """A certificate authority that is at hand to sign."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def certificates(declaration: Declaration) -> list[Certificate]:
    """Every certificate of the declared cluster, authorities excepted."""
    controller = str(declaration.controller.address)
    api_service = str(declaration.service_network[1])
    own = ("controller", controller, "localhost", "127.0.0.1")
    api_names = ("kubernetes", "kubernetes.default", "kubernetes.default.svc")

    def user(name: str, common_name: str, organization: str = "") -> Certificate:
        return Certificate(name, "kubernetes", common_name, (CLIENT,), organization, kubeconfig=True)

    table = [
        Certificate("etcd", "etcd", "etcd", (SERVER,), names=own),
        Certificate("etcd-peer", "etcd", "etcd", (SERVER, CLIENT), names=own),
        Certificate("etcd-root", "etcd", "root", (CLIENT,)),
        Certificate("etcd-kube-apiserver", "etcd", "kube-apiserver", (CLIENT,)),
        Certificate("docker-registry", "registry", "docker-registry", (SERVER,), names=own),
        Certificate(
            "kube-apiserver",
            "kubernetes",
            "kube-apiserver",
            (SERVER,),
            names=(*own, api_service, *api_names, "kubernetes.default.svc.cluster.local"),
        ),
        Certificate("kube-apiserver-kubelet-client", "kubernetes", "kube-apiserver-kubelet-client", (CLIENT,)),
        Certificate("front-proxy-client", "front-proxy", "front-proxy-client", (CLIENT,)),
        Certificate("kube-controller-manager-server", "kubernetes", "kube-controller-manager", (SERVER,), names=own),
        Certificate("kube-scheduler-server", "kubernetes", "kube-scheduler", (SERVER,), names=own),
        Certificate(
            "metrics-server",
            "kubernetes",
            "metrics-server",
            (SERVER,),
            names=("metrics-server.kube-system", "metrics-server.kube-system.svc"),
        ),
        user("kube-controller-manager", "system:kube-controller-manager"),
        user("kube-scheduler", "system:kube-scheduler"),
        # Only used to give the group cluster-admins its role; it bypasses RBAC, so nobody works with it.
        user("super-admin", "super-admin", "system:masters"),
        user("admin", "admin", "cluster-admins"),
        user("inaetics", "inaetics"),
    ]
    for host in declaration.hosts:
        address = str(host.address)
        table += [
            Certificate(f"flannel-{host.name}", "etcd", "flannel", (CLIENT,), organization=host.name),
            user(f"kube-proxy-{host.name}", "system:kube-proxy", host.name),
        ]
        if host.group == "nodes":
            table += [
                Certificate(
                    f"kubelet-server-{host.name}",
                    "kubernetes",
                    f"system:node:{address}",
                    (SERVER,),
                    "system:nodes",
                    (host.name, address),
                ),
                user(f"kubelet-{host.name}", f"system:node:{address}", "system:nodes"),
            ]
    return table


def ensure(declaration: Declaration, state: Path) -> None:
    """Make what is missing, no longer as declared, or about to expire; leave the rest untouched."""
    pki = state / "pki"
    for directory in (state, pki, pki / "ca", pki / "certs", pki / "kubeconfigs"):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    authorities = {name: _authority(pki / "ca", name, declaration.name) for name in AUTHORITIES}
    server = f"https://{declaration.controller.address}:{API_PORT}"
    for row in certificates(declaration):
        authority = authorities[row.authority]
        crt, key = pki / "certs" / f"{row.name}.crt", pki / "certs" / f"{row.name}.key"
        if not _is_current(crt, key, row, authority):
            _issue(crt, key, row, authority)
        if row.kubeconfig:
            kubeconfig = _kubeconfig(declaration.name, server, row.name, pki)
            _write(pki / "kubeconfigs" / f"{row.name}.kubeconfig", kubeconfig)
    _write(state / "kubeconfig", _kubeconfig(declaration.name, server, "admin", pki))
    _service_account_key(pki)
    for secret in (pki / "encryption-key", provisioning_token(state)):
        if not secret.exists():
            _write(secret, base64.b64encode(secrets.token_bytes(32)))


def provisioning_token(state: Path) -> Path:
    """Whoever has what is in this file may change what the agents run; the cluster is told its SHA-256 sum alone."""
    return state / "provisioning-token"


def _authority(directory: Path, name: str, cluster: str) -> Authority:
    crt, key_file = directory / f"{name}.crt", directory / f"{name}.key"
    if crt.exists() and key_file.exists():
        key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)  # no other kind is ever written here
        return Authority(x509.load_pem_x509_certificate(crt.read_bytes()), key)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _subject(f"{name} authority of cluster {cluster}", "")
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        _builder(subject, subject, key, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )
    _write(key_file, _pem(key))
    _write(crt, certificate.public_bytes(serialization.Encoding.PEM), mode=0o644)
    return Authority(certificate, key)


def _issue(crt: Path, key_file: Path, row: Certificate, authority: Authority) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _subject(row.common_name, row.organization)
    builder = (
        _builder(subject, authority.certificate.subject, key, CERTIFICATE_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(list(row.usages)), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False)
    )
    if row.names:
        builder = builder.add_extension(_alternative_names(row.names), critical=False)
    certificate = builder.sign(authority.key, hashes.SHA256())
    _write(key_file, _pem(key))
    _write(crt, certificate.public_bytes(serialization.Encoding.PEM), mode=0o644)


def _is_current(crt: Path, key_file: Path, row: Certificate, authority: Authority) -> bool:
    if not (crt.exists() and key_file.exists()):
        return False
    certificate = x509.load_pem_x509_certificate(crt.read_bytes())
    key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
    try:
        certificate.verify_directly_issued_by(authority.certificate)
    except (ValueError, TypeError, InvalidSignature):  # issued by an authority that was replaced
        return False
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        names = x509.SubjectAlternativeName([])
    return (
        certificate.public_key() == key.public_key()
        and certificate.subject == _subject(row.common_name, row.organization)
        and names == _alternative_names(row.names)
        and certificate.not_valid_after_utc - datetime.now(UTC) > timedelta(days=RENEW_WHEN_DAYS_LEFT)
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _subject(common_name: str, organization: str) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization)] if organization else []
    return x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _alternative_names(names: tuple[str, ...]) -> x509.SubjectAlternativeName:
    def general(name: str) -> x509.GeneralName:
        try:
            return x509.IPAddress(ipaddress.ip_address(name))
        except ValueError:
            return x509.DNSName(name)

    return x509.SubjectAlternativeName([general(name) for name in names])


def _service_account_key(pki: Path) -> None:
    """The key pair that signs and checks service account tokens; it belongs to no certificate."""
    if (pki / "service-account.key").exists() and (pki / "service-account.pub").exists():
        return
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    _write(pki / "service-account.key", _pem(key))
    _write(pki / "service-account.pub", public, mode=0o644)


def _kubeconfig(cluster: str, server: str, name: str, pki: Path) -> bytes:
    def embedded(path: Path) -> str:
        return base64.b64encode(path.read_bytes()).decode()

    authority = embedded(pki / "ca" / "kubernetes.crt")
    client = {
        "client-certificate-data": embedded(pki / "certs" / f"{name}.crt"),
        "client-key-data": embedded(pki / "certs" / f"{name}.key"),
    }
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": cluster, "cluster": {"server": server, "certificate-authority-data": authority}}],
        "users": [{"name": name, "user": client}],
        "contexts": [{"name": cluster, "context": {"cluster": cluster, "user": name}}],
        "current-context": cluster,
    }
    return yaml.safe_dump(document, sort_keys=False).encode()


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Write atomically, so that Ctrl-C leaves the old file or the new one, and only when it changes."""
    if path.exists() and path.read_bytes() == content:
        return
    temporary = path.with_name(path.name + ".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
    temporary.replace(path)
