"""Issues the cluster's certificates, keys and kubeconfigs, and renews them in time.

Everything is below `.cluster/pki` (0700; keys and kubeconfigs 0600): ca/NAME.{crt,key},
certs/NAME.{crt,key}, kubeconfigs/NAME.kubeconfig, service-account.{key,pub}, encryption-key.
"""

import base64
import ipaddress
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from runner.declaration.certificates import AUTHORITIES, CertificateSpec, certificate_specs
from runner.declaration.model import Declaration
from runner.state import State

AUTHORITY_DAYS = 3650
CERTIFICATE_DAYS = 365
RENEW_WHEN_DAYS_LEFT = 30
CLOCK_SKEW = timedelta(minutes=5)
API_PORT = 6443
CURVE = ec.SECP256R1()


@dataclass(frozen=True)
class KeyPair:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


@dataclass(frozen=True)
class CertificateExpiry:
    """A certificate on disk and the days until it expires."""

    name: str
    days_left: int


def ensure(declaration: Declaration, state: State) -> None:
    """Issue what is missing, not as declared, or about to expire; leave the rest untouched.

    An authority keeps its subject when the cluster is renamed, since a new one would replace every certificate.
    """
    state.create()
    ca, certs, kubeconfigs = (state.pki / name for name in ("ca", "certs", "kubeconfigs"))
    for directory in (state.pki, ca, certs, kubeconfigs):
        directory.mkdir(mode=0o700, exist_ok=True)
    authorities = {name: _ensure_authority(ca / f"{name}.crt", name, declaration.name) for name in AUTHORITIES}
    server = f"https://{declaration.controller.address}:{API_PORT}"
    for spec in certificate_specs(declaration):
        pair = _ensure_certificate(certs / f"{spec.name}.crt", spec, authorities[spec.authority])
        if spec.kubeconfig:
            kubeconfig = _kubeconfig(declaration.name, server, spec.name, authorities[spec.authority], pair)
            _write(kubeconfigs / f"{spec.name}.kubeconfig", kubeconfig)
    _write(state.kubeconfig, (kubeconfigs / "admin.kubeconfig").read_bytes())
    _ensure_service_account_key(state.pki)
    for secret in (state.pki / "encryption-key", state.provisioning_token):
        if not secret.exists():
            _write(secret, base64.b64encode(secrets.token_bytes(32)))


def expiries(state: State) -> list[CertificateExpiry]:
    """Return every certificate and authority of the checkout, the one that expires first at the top."""
    now = datetime.now(UTC)
    found = []
    for directory, suffix in (("ca", " (authority)"), ("certs", "")):
        for path in sorted((state.pki / directory).glob("*.crt")):
            end = x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
            found.append(CertificateExpiry(f"{path.stem}{suffix}", (end - now).days))
    return sorted(found, key=lambda certificate: certificate.days_left)


def _ensure_authority(path: Path, name: str, cluster: str) -> KeyPair:
    pair = _load(path)
    if pair and _is_valid(pair.certificate):
        return pair
    key = ec.generate_private_key(CURVE)
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
    end = datetime.now(UTC) + timedelta(days=AUTHORITY_DAYS)
    extensions = ((x509.BasicConstraints(ca=True, path_length=0), True), (usage, True))
    return _sign(path, subject, key, subject, key, end, extensions)


def _ensure_certificate(path: Path, spec: CertificateSpec, authority: KeyPair) -> KeyPair:
    subject = _subject(spec.common_name, spec.organization)
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (x509.ExtendedKeyUsage(spec.usages), False),
    ]
    if spec.names:
        extensions.append((_alternative_names(spec.names), False))
    pair = _load(path)
    if (
        pair
        and _is_valid(pair.certificate)
        and _is_issued_by(authority, pair.certificate)
        and pair.certificate.subject == subject
        and _declared_extensions(pair.certificate) == extensions
    ):
        return pair
    # No certificate outlives its authority.
    end = min(datetime.now(UTC) + timedelta(days=CERTIFICATE_DAYS), authority.certificate.not_valid_after_utc)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    key = ec.generate_private_key(CURVE)
    issuer = authority.certificate.subject
    return _sign(path, subject, key, issuer, authority.key, end, [*extensions, (identifier, False)])


def _load(path: Path) -> KeyPair | None:
    """Return a certificate with its key; None when one is missing, unreadable, of another type or does not fit."""
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        key = serialization.load_pem_private_key(path.with_suffix(".key").read_bytes(), password=None)
    except (FileNotFoundError, ValueError):
        return None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != CURVE.name:
        return None
    return KeyPair(certificate, key) if certificate.public_key() == key.public_key() else None


def _is_valid(certificate: x509.Certificate) -> bool:
    now = datetime.now(UTC)
    renewal = certificate.not_valid_after_utc - timedelta(days=RENEW_WHEN_DAYS_LEFT)
    return certificate.not_valid_before_utc <= now < renewal


def _is_issued_by(authority: KeyPair, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority.certificate)
    except (ValueError, TypeError, InvalidSignature):  # the authority was replaced
        return False
    return True


def _declared_extensions(certificate: x509.Certificate) -> list[tuple[x509.ExtensionType, bool]]:
    """Return what the table decides on: all extensions but the key identifiers, which follow from the keys."""
    identifiers = (x509.SubjectKeyIdentifier, x509.AuthorityKeyIdentifier)
    return [(one.value, one.critical) for one in certificate.extensions if not isinstance(one.value, identifiers)]


def _sign(
    path: Path,
    subject: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    end: datetime,
    extensions: Iterable[tuple[x509.ExtensionType, bool]],
) -> KeyPair:
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - CLOCK_SKEW)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    certificate = builder.sign(issuer_key, hashes.SHA256())
    _write(path.with_suffix(".key"), _pem(key))
    _write(path, certificate.public_bytes(serialization.Encoding.PEM), mode=0o644)
    return KeyPair(certificate, key)


def _subject(common_name: str, organization: str) -> x509.Name:
    attributes = [x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, organization)] if organization else []
    return x509.Name([*attributes, x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])


def _alternative_names(names: Iterable[str]) -> x509.SubjectAlternativeName:
    def general(name: str) -> x509.GeneralName:
        try:
            return x509.IPAddress(ipaddress.ip_address(name))
        except ValueError:
            return x509.DNSName(name)

    return x509.SubjectAlternativeName([general(name) for name in names])


def _ensure_service_account_key(pki: Path) -> None:
    """Create the key pair that signs and checks service account tokens; it belongs to no certificate."""
    private, public = pki / "service-account.key", pki / "service-account.pub"
    if private.exists() and public.exists():
        return
    key = ec.generate_private_key(CURVE)
    _write(private, _pem(key))
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    _write(public, key.public_key().public_bytes(serialization.Encoding.PEM, form), mode=0o644)


def _kubeconfig(cluster: str, server: str, name: str, authority: KeyPair, client: KeyPair) -> bytes:
    def pem(pair: KeyPair) -> bytes:
        return pair.certificate.public_bytes(serialization.Encoding.PEM)

    def embedded(content: bytes) -> str:
        return base64.b64encode(content).decode()

    user = {"client-certificate-data": embedded(pem(client)), "client-key-data": embedded(_pem(client.key))}
    trusted = {"server": server, "certificate-authority-data": embedded(pem(authority))}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": cluster, "cluster": trusted}],
        "users": [{"name": name, "user": user}],
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
