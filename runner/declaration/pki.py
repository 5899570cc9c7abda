"""The cluster's certificates, keys and kubeconfigs in `.cluster/pki`: who gets which, issued and renewed in time."""

import base64
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from runner.declaration.model import Cluster, Endpoints
from runner.state import State, write_atomically

# Four authorities separate trust: a Kubernetes certificate gives no access to etcd, and a machine that trusts the
# registry trusts nothing else by it. There is one certificate per client, so that each can be told apart in an audit
# log and replaced alone. Requirements: https://kubernetes.io/docs/setup/best-practices/certificates/
AUTHORITIES = ("kubernetes", "etcd", "front-proxy", "registry")
SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
AUTHORITY_DAYS = 3650
CERTIFICATE_DAYS = 365
RENEW_WHEN_DAYS_LEFT = 30
CURVE = ec.SECP256R1()
PEM = serialization.Encoding.PEM


@dataclass(frozen=True)
class CertificateSpec:
    """One row of the table."""

    name: str
    subject: str  # as in RFC 4514
    authority: str = "kubernetes"
    usages: tuple[x509.ObjectIdentifier, ...] = (CLIENT,)
    names: tuple[str | IPv4Address, ...] = ()  # subject alternative ones
    # Written as a kubeconfig, too, for people and short commands; that of a service names files, and its role writes it
    kubeconfig: bool = False


def certificate_specs(cluster: Cluster, endpoints: Endpoints) -> list[CertificateSpec]:
    """Return the certificates of a cluster, without the authorities."""
    own = (cluster.hosts[0].name, cluster.address, "localhost", IPv4Address("127.0.0.1"))
    api = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", f"kubernetes.default.svc.{endpoints.domain}")
    api_names = (*_with_host(own, endpoints.api_url), cluster.service_network[1], *api)
    etcd_names, registry_names = (_with_host(own, place) for place in (endpoints.etcd_url, endpoints.registry))
    metrics_names = ("metrics-server.kube-system", "metrics-server.kube-system.svc")

    def server(name: str, subject: str, authority: str, names: tuple[str | IPv4Address, ...] = own) -> CertificateSpec:
        return CertificateSpec(name, subject, authority, (SERVER,), names)

    table = [
        server("etcd", "CN=etcd", "etcd", etcd_names),
        CertificateSpec("etcd-peer", "CN=etcd", "etcd", (SERVER, CLIENT), own),
        CertificateSpec("etcd-root", "CN=root", "etcd"),
        CertificateSpec("etcd-kube-apiserver", "CN=kube-apiserver", "etcd"),
        server("docker-registry", "CN=docker-registry", "registry", registry_names),
        server("kube-apiserver", "CN=kube-apiserver", "kubernetes", api_names),
        CertificateSpec("kube-apiserver-kubelet-client", "CN=kube-apiserver-kubelet-client"),
        CertificateSpec("front-proxy-client", "CN=front-proxy-client", "front-proxy"),
        server("kube-controller-manager-server", "CN=kube-controller-manager", "kubernetes"),
        server("kube-scheduler-server", "CN=kube-scheduler", "kubernetes"),
        server("metrics-server", "CN=metrics-server", "kubernetes", metrics_names),
        CertificateSpec("kube-controller-manager", "CN=system:kube-controller-manager"),
        CertificateSpec("kube-scheduler", "CN=system:kube-scheduler"),
        # Bypasses RBAC, so it is used only to give the group cluster-admins its role.
        CertificateSpec("super-admin", "CN=super-admin,O=system:masters", kubeconfig=True),
        CertificateSpec("admin", "CN=admin,O=cluster-admins", kubeconfig=True),
        CertificateSpec("inaetics", "CN=inaetics", kubeconfig=True),
    ]
    for host in cluster.hosts:
        table.append(CertificateSpec(f"flannel-{host.name}", f"CN=flannel,O={host.name}", "etcd"))
        table.append(CertificateSpec(f"kube-proxy-{host.name}", f"CN=system:kube-proxy,O={host.name}"))
        if host.group == "workers":
            subject = f"CN=system:node:{host.address},O=system:nodes"
            table.append(server(f"kubelet-server-{host.name}", subject, "kubernetes", (host.name, host.address)))
            table.append(CertificateSpec(f"kubelet-{host.name}", subject))
    return table


def _with_host(names: tuple[str | IPv4Address, ...], place: str) -> tuple[str | IPv4Address, ...]:
    """Return the names and, unless it is among them, the host of a URL or of HOST:PORT."""
    host = place.rpartition("/")[2].partition(":")[0]
    if host in map(str, names):
        return names
    with suppress(ValueError):
        return (*names, IPv4Address(host))
    return (*names, host)


@dataclass(frozen=True)
class CertificateExpiry:
    """A certificate on disk and the days until it expires; `problem` says why it is replaced by the next run."""

    name: str
    days_left: int
    problem: str = ""


@dataclass(frozen=True)
class _KeyPair:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def ensure(cluster: Cluster, endpoints: Endpoints, state: State) -> None:
    """Issue what is missing, not as declared, or about to expire; leave the rest untouched."""
    state.create()
    # ca/NAME.{crt,key}, certs/NAME.{crt,key}, kubeconfigs/NAME.kubeconfig
    ca, certs, kubeconfigs = (state.pki / name for name in ("ca", "certs", "kubeconfigs"))
    for directory in (state.pki, ca, certs, kubeconfigs):
        directory.mkdir(mode=0o700, exist_ok=True)
    authorities = {name: _ensure_authority(ca / f"{name}.crt", name, cluster.name) for name in AUTHORITIES}
    for spec in certificate_specs(cluster, endpoints):
        _ensure_certificate(certs / f"{spec.name}.crt", spec, authorities[spec.authority])
        if spec.kubeconfig:
            kubeconfig = _kubeconfig(cluster.name, endpoints.api_url, spec, state.pki)
            write_atomically(kubeconfigs / f"{spec.name}.kubeconfig", kubeconfig)
    write_atomically(state.kubeconfig, (kubeconfigs / "admin.kubeconfig").read_bytes())
    _ensure_service_account_key(state.pki / "service-account.key")
    for secret in (state.pki / "encryption-key", state.provisioning_token):
        if not _read(secret):
            write_atomically(secret, base64.b64encode(secrets.token_bytes(32)))
    if not _read(state.dashboard_salt):
        write_atomically(state.dashboard_salt, secrets.token_hex(16).encode())


def expiries(state: State) -> list[CertificateExpiry]:
    """Return every certificate and authority, the one that expires first at the top; a damaged one has no day left."""
    found = []
    for path in sorted(state.pki.glob("*/*.crt")):
        name = f"{path.stem} (authority)" if path.parent.name == "ca" else path.stem
        days_left, problem = 0, "cannot be read"
        with suppress(ValueError):
            certificate, now = x509.load_pem_x509_certificate(path.read_bytes()), datetime.now(UTC)
            days_left = (certificate.not_valid_after_utc - now).days
            problem = f"expires in {days_left} days" if days_left < RENEW_WHEN_DAYS_LEFT else ""
            if not certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc:
                problem = "has expired" if days_left < 0 else "is not valid yet"
        found.append(CertificateExpiry(name, days_left, problem))
    return sorted(found, key=lambda certificate: certificate.days_left)


def _ensure_authority(path: Path, name: str, cluster: str) -> _KeyPair:
    # It keeps its subject when the cluster is renamed, since a new authority would replace every certificate.
    if pair := _load(path):
        return pair
    unused = ("content_commitment", "data_encipherment", "key_encipherment", "key_agreement")
    others = dict.fromkeys((*unused, "encipher_only", "decipher_only"), False)
    usage = x509.KeyUsage(digital_signature=True, key_cert_sign=True, crl_sign=True, **others)
    subject = f"CN={name} authority of cluster {cluster}"
    return _issue(path, subject, [x509.BasicConstraints(ca=True, path_length=0), usage], None)


def _ensure_certificate(path: Path, spec: CertificateSpec, authority: _KeyPair) -> None:
    names = [x509.DNSName(name) if isinstance(name, str) else x509.IPAddress(name) for name in spec.names]
    extensions: list[x509.ExtensionType] = [
        x509.BasicConstraints(ca=False, path_length=None),
        x509.ExtendedKeyUsage(spec.usages),
        *([x509.SubjectAlternativeName(names)] if names else []),
        x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()),
    ]
    if pair := _load(path):
        present = [one.value for one in pair.certificate.extensions if one.oid != x509.SubjectKeyIdentifier.oid]
        is_as_declared = present == extensions and pair.certificate.subject.rfc4514_string() == spec.subject
        if is_as_declared and pair.certificate.issuer == authority.certificate.subject:
            return
    _issue(path, spec.subject, extensions, authority)


def _load(path: Path) -> _KeyPair | None:
    """Return a certificate with its key; None where one is absent, unreadable, not valid for long or does not fit."""
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        key = serialization.load_pem_private_key(path.with_suffix(".key").read_bytes(), password=None)
    except (FileNotFoundError, ValueError, TypeError):  # the last of a key with a password
        return None
    renewal = certificate.not_valid_after_utc - timedelta(days=RENEW_WHEN_DAYS_LEFT)
    is_valid = certificate.not_valid_before_utc <= datetime.now(UTC) < renewal
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != CURVE.name or not is_valid:
        return None
    return _KeyPair(certificate, key) if certificate.public_key() == key.public_key() else None


def _issue(path: Path, subject: str, extensions: list[x509.ExtensionType], authority: _KeyPair | None) -> _KeyPair:
    """Make a key and its certificate, signed by the authority or, without one, by itself."""
    key = ec.generate_private_key(CURVE)
    name, now = x509.Name.from_rfc4514_string(subject), datetime.now(UTC)
    issuer, signer, end = name, key, now + timedelta(days=AUTHORITY_DAYS)
    if authority:
        issuer, signer = authority.certificate.subject, authority.key
        # No certificate outlives its authority.
        end = min(now + timedelta(days=CERTIFICATE_DAYS), authority.certificate.not_valid_after_utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))  # clocks differ
        .not_valid_after(end)
    )
    for extension in (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), *extensions):
        is_critical = isinstance(extension, x509.BasicConstraints | x509.KeyUsage)
        builder = builder.add_extension(extension, critical=is_critical)
    certificate = builder.sign(signer, hashes.SHA256())
    _write_key(path.with_suffix(".key"), key)
    write_atomically(path, certificate.public_bytes(PEM), mode=0o644)
    return _KeyPair(certificate, key)


def _ensure_service_account_key(private: Path) -> None:
    """Create the key pair that signs and checks service account tokens; it belongs to no certificate."""
    try:
        key = serialization.load_pem_private_key(private.read_bytes(), password=None)
    except (FileNotFoundError, ValueError, TypeError):
        key = ec.generate_private_key(CURVE)
        _write_key(private, key)
    public = key.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    write_atomically(private.with_suffix(".pub"), public, mode=0o644)


def _kubeconfig(name: str, server: str, spec: CertificateSpec, pki: Path) -> bytes:
    def embedded(file: str) -> str:
        return base64.b64encode((pki / file).read_bytes()).decode()

    trusted = {"server": server, "certificate-authority-data": embedded(f"ca/{spec.authority}.crt")}
    certificate, key = embedded(f"certs/{spec.name}.crt"), embedded(f"certs/{spec.name}.key")
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": trusted}],
        "users": [{"name": spec.name, "user": {"client-certificate-data": certificate, "client-key-data": key}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": spec.name}}],
        "current-context": name,
    }
    return yaml.safe_dump(document, sort_keys=False).encode()


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    write_atomically(path, key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))


def _read(path: Path) -> bytes:
    """Return a file's content; empty if there is no file."""
    return path.read_bytes() if path.exists() else b""
