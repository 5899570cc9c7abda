"""Every certificate on the hosts: by whom, for whom, under which names, and for how long."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.hosts.facts import Facts

testinfra_hosts = ["ansible://cluster"]

MIN_DAYS, MAX_DAYS = 30, 366  # the runner renews what has less, and never issues more
SERVER, CLIENT = "server", "client"
USAGES = {ExtendedKeyUsageOID.SERVER_AUTH: SERVER, ExtendedKeyUsageOID.CLIENT_AUTH: CLIENT}

# The certificates of authorities, by the name that their subject begins with.
AUTHORITIES = {
    "{etcd_config_dir}/ca.crt": "etcd",
    "{flannel_config_dir}/etcd-ca.crt": "etcd",
    "{kube_master_config_dir}/etcd-ca.crt": "etcd",
    "{kube_master_config_dir}/ca.crt": "kubernetes",
    "{kube_node_config_dir}/ca.crt": "kubernetes",
    "{kube_proxy_config_dir}/ca.crt": "kubernetes",
    "{kube_master_config_dir}/front-proxy-ca.crt": "front-proxy",
    "{docker_registry_config_dir}/ca.crt": "registry",
    "/etc/containerd/registry-ca.crt": "registry",
}


@dataclass(frozen=True)
class Identity:
    """The members of a certificate: its issuer, its subject, and its uses."""

    authority: str
    holder: str
    group: str = ""
    usages: tuple[str, ...] = (CLIENT,)
    names: frozenset[str] = frozenset()


def expected(facts: Facts) -> dict[str, Identity]:
    """The table for one host."""
    return {facts.fill(path): identity for path, identity in _table(facts).items()}


def _table(facts: Facts) -> dict[str, Identity]:
    own = frozenset({facts.name, facts.address, "localhost", "127.0.0.1"})
    both = {
        "{flannel_config_dir}/client.crt": Identity("etcd", "flannel", facts.name),
        "{kube_proxy_config_dir}/client.crt": Identity("kubernetes", "system:kube-proxy", facts.name),
    }
    if "workers" in facts.groups:
        kubelet, names = f"system:node:{facts.address}", frozenset({facts.name, facts.address})
        return both | {
            "{kube_node_config_dir}/kubelet.crt": Identity("kubernetes", kubelet, "system:nodes", (SERVER,), names),
            "{kube_node_config_dir}/kubelet-client.crt": Identity("kubernetes", kubelet, "system:nodes"),
        }
    service = ".".join([facts.variables["cluster_service_network"].rsplit(".", 1)[0], "1"])
    etcd, registry, api = (
        own | {facts.fill(place).rpartition("/")[2].partition(":")[0]}
        for place in ("{cluster_etcd_url}", "{cluster_registry}", "{cluster_api_url}")
    )
    api |= {service, "kubernetes", "kubernetes.default", "kubernetes.default.svc"}
    api |= {facts.fill("kubernetes.default.svc.{cluster_domain}")}
    return both | {
        "{etcd_config_dir}/server.crt": Identity("etcd", "etcd", "", (SERVER,), etcd),
        "{etcd_config_dir}/peer.crt": Identity("etcd", "etcd", "", (SERVER, CLIENT), own),
        "{etcd_config_dir}/root.crt": Identity("etcd", "root"),
        "{docker_registry_config_dir}/server.crt": Identity("registry", "docker-registry", "", (SERVER,), registry),
        "{kube_master_config_dir}/apiserver/server.crt": Identity("kubernetes", "kube-apiserver", "", (SERVER,), api),
        "{kube_master_config_dir}/apiserver/etcd-client.crt": Identity("etcd", "kube-apiserver"),
        "{kube_master_config_dir}/apiserver/front-proxy-client.crt": Identity("front-proxy", "front-proxy-client"),
        "{kube_master_config_dir}/apiserver/kubelet-client.crt": Identity(
            "kubernetes", "kube-apiserver-kubelet-client"
        ),
        "{kube_master_config_dir}/controller-manager/server.crt": Identity(
            "kubernetes", "kube-controller-manager", "", (SERVER,), own
        ),
        "{kube_master_config_dir}/controller-manager/client.crt": Identity(
            "kubernetes", "system:kube-controller-manager"
        ),
        "{kube_master_config_dir}/scheduler/server.crt": Identity("kubernetes", "kube-scheduler", "", (SERVER,), own),
        "{kube_master_config_dir}/scheduler/client.crt": Identity("kubernetes", "system:kube-scheduler"),
        "{cluster_admin_kubeconfig}": Identity("kubernetes", "admin", "cluster-admins"),
        "{inaetics_app_config_dir}/kubeconfig": Identity("kubernetes", "inaetics"),
        "{kube_master_config_dir}/super-admin.kubeconfig": Identity("kubernetes", "super-admin", "system:masters"),
    }


@pytest.fixture(scope="module")
def authorities(facts: Facts) -> dict[str, x509.Certificate]:
    """The certificates of authorities on this host."""
    paths = set(map(facts.fill, AUTHORITIES))
    return {path: one for path, one in facts.certificates.items() if path in paths}


@pytest.fixture(scope="module")
def issued(facts: Facts, authorities: Mapping[str, x509.Certificate]) -> dict[str, x509.Certificate]:
    """The certificates of this host that are no authority's."""
    return {path: one for path, one in facts.certificates.items() if path not in authorities}


def test_each_says_what_the_table_says(facts: Facts, issued: Mapping[str, x509.Certificate]) -> None:
    """One certificate per client, so that each can be replaced alone; and a server by all of its names."""
    assert {path: _identity(one) for path, one in issued.items()} == expected(facts)


def test_each_is_signed_by_its_authority(
    authorities: Mapping[str, x509.Certificate], issued: Mapping[str, x509.Certificate]
) -> None:
    """An issuer's name can be written by anybody; its signature cannot."""
    known = {one.subject: one for one in authorities.values()}
    for path, one in issued.items():
        if one.issuer in known:
            one.verify_directly_issued_by(known[one.issuer])
        else:  # the front proxy's clients are checked where they knock, not where they live
            pytest.fail(f"{path} was issued by {one.issuer.rfc4514_string()}, which this host does not know")


def test_authorities_are_kept_apart(facts: Facts, authorities: Mapping[str, x509.Certificate]) -> None:
    """A Kubernetes certificate must not be accepted by etcd."""
    names = {facts.fill(path): name for path, name in AUTHORITIES.items()}
    assert {path: _common_name(one.subject).split()[0] for path, one in authorities.items()} == {
        path: names[path] for path in authorities
    }
    keys = {_public(one) for one in authorities.values()}
    assert len(keys) == len({names[path] for path in authorities})


def test_days_left(issued: Mapping[str, x509.Certificate]) -> None:
    """A cluster whose certificates run out stops all at once; one whose certificates never do cannot forget."""
    now = datetime.now(UTC)
    left = {path: (one.not_valid_after_utc - now).days for path, one in issued.items()}
    assert {path: days for path, days in left.items() if not MIN_DAYS <= days <= MAX_DAYS} == {}


def test_no_authority_can_sign_here(facts: Facts, authorities: Mapping[str, x509.Certificate]) -> None:
    """The authorities' keys stay on the workstation: the owner of a host still cannot issue a certificate."""
    known = {_public(one) for one in authorities.values()}
    keys = [path for path in facts.secrets if path.endswith(".key")]
    shown = facts.output("; ".join(f"openssl pkey -pubout -in {path}" for path in keys))
    publics = {f"{block}-----END PUBLIC KEY-----" for block in shown.split("-----END PUBLIC KEY-----\n")}
    assert len(keys) > 0
    assert not {public.strip() for public in publics} & known


def _identity(certificate: x509.Certificate) -> Identity:
    extensions = certificate.extensions
    try:
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        names = x509.SubjectAlternativeName([])
    organizations = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return Identity(
        authority=_common_name(certificate.issuer).split()[0],
        holder=_common_name(certificate.subject),
        group=str(organizations[0].value) if organizations else "",
        usages=tuple(USAGES[oid] for oid in extensions.get_extension_for_class(x509.ExtendedKeyUsage).value),
        names=frozenset(str(name.value) for name in names),
    )


def _common_name(name: x509.Name) -> str:
    return str(name.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def _public(certificate: x509.Certificate) -> str:
    pem = certificate.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem.decode().strip()
