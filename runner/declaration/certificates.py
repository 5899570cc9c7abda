"""The table of the cluster's certificates: who gets which, signed by which authority."""

from dataclasses import dataclass
from ipaddress import IPv4Address

from cryptography.x509 import ObjectIdentifier
from cryptography.x509.oid import ExtendedKeyUsageOID

from runner.declaration.model import Declaration

# Four authorities separate trust: a Kubernetes certificate gives no access to etcd, and a machine that trusts the
# registry trusts nothing else by it. There is one certificate per client, so that each can be told apart in an audit
# log and replaced alone. Requirements: https://kubernetes.io/docs/setup/best-practices/certificates/
AUTHORITIES = ("kubernetes", "etcd", "front-proxy", "registry")
SERVER = ExtendedKeyUsageOID.SERVER_AUTH
CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH


@dataclass(frozen=True)
class CertificateSpec:
    """One row of the table."""

    authority: str
    name: str
    subject: str  # as in RFC 4514
    usages: tuple[ObjectIdentifier, ...] = (CLIENT,)
    names: tuple[str | IPv4Address, ...] = ()  # subject alternative ones
    # Written as a kubeconfig, too, that points at the API server
    kubeconfig: bool = False


def certificate_specs(declaration: Declaration) -> list[CertificateSpec]:
    """Return the certificates of the declared cluster, without the authorities."""
    own = ("controller", declaration.controller.address, "localhost", IPv4Address("127.0.0.1"))
    api = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")
    api_names = (*own, declaration.service_network[1], *api)
    metrics_names = ("metrics-server.kube-system", "metrics-server.kube-system.svc")

    def server(authority: str, name: str, subject: str, names: tuple[str | IPv4Address, ...] = own) -> CertificateSpec:
        return CertificateSpec(authority, name, subject, (SERVER,), names)

    def user(name: str, subject: str) -> CertificateSpec:
        return CertificateSpec("kubernetes", name, subject, kubeconfig=True)

    table = [
        server("etcd", "etcd", "CN=etcd"),
        CertificateSpec("etcd", "etcd-peer", "CN=etcd", (SERVER, CLIENT), own),
        CertificateSpec("etcd", "etcd-root", "CN=root"),
        CertificateSpec("etcd", "etcd-kube-apiserver", "CN=kube-apiserver"),
        server("registry", "docker-registry", "CN=docker-registry"),
        server("kubernetes", "kube-apiserver", "CN=kube-apiserver", api_names),
        CertificateSpec("kubernetes", "kube-apiserver-kubelet-client", "CN=kube-apiserver-kubelet-client"),
        CertificateSpec("front-proxy", "front-proxy-client", "CN=front-proxy-client"),
        server("kubernetes", "kube-controller-manager-server", "CN=kube-controller-manager"),
        server("kubernetes", "kube-scheduler-server", "CN=kube-scheduler"),
        server("kubernetes", "metrics-server", "CN=metrics-server", metrics_names),
        user("kube-controller-manager", "CN=system:kube-controller-manager"),
        user("kube-scheduler", "CN=system:kube-scheduler"),
        # Bypasses RBAC, so it is used only to give the group cluster-admins its role.
        user("super-admin", "CN=super-admin,O=system:masters"),
        user("admin", "CN=admin,O=cluster-admins"),
        user("inaetics", "CN=inaetics"),
    ]
    for host in declaration.hosts:
        table.append(CertificateSpec("etcd", f"flannel-{host.name}", f"CN=flannel,O={host.name}"))
        table.append(user(f"kube-proxy-{host.name}", f"CN=system:kube-proxy,O={host.name}"))
        if host.group == "nodes":
            subject = f"CN=system:node:{host.address},O=system:nodes"
            table.append(server("kubernetes", f"kubelet-server-{host.name}", subject, (host.name, host.address)))
            table.append(user(f"kubelet-{host.name}", subject))
    return table
