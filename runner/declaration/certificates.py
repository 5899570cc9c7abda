"""The table of the cluster's certificates: who gets which, signed by which authority.

There is one certificate per client, so that each can be told apart in an audit log and replaced
alone. Four authorities separate trust: a Kubernetes certificate gives no access to etcd, and a
machine that trusts the registry trusts nothing else by it.
Requirements: https://kubernetes.io/docs/setup/best-practices/certificates/
"""

from dataclasses import dataclass

from cryptography.x509 import ObjectIdentifier
from cryptography.x509.oid import ExtendedKeyUsageOID

from runner.declaration.model import Declaration

AUTHORITIES = ("kubernetes", "etcd", "front-proxy", "registry")
SERVER = ExtendedKeyUsageOID.SERVER_AUTH
CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH


@dataclass(frozen=True)
class CertificateSpec:
    """One row of the table.

    `names` become subject alternative names: host names or IP addresses. With `kubeconfig`
    the certificate is also written as a kubeconfig that points at the API server, for people and programs that run
    for a moment; a service's kubeconfig is the roles' to write.
    """

    name: str
    authority: str
    common_name: str
    usages: tuple[ObjectIdentifier, ...]
    organization: str = ""
    names: tuple[str, ...] = ()
    kubeconfig: bool = False


def certificate_specs(declaration: Declaration) -> list[CertificateSpec]:
    """Return the certificates of the declared cluster, without the authorities."""
    controller = str(declaration.controller.address)
    api_service = str(declaration.service_network[1])
    own = ("controller", controller, "localhost", "127.0.0.1")
    api_names = ("kubernetes", "kubernetes.default", "kubernetes.default.svc")

    def user(name: str, common_name: str, organization: str = "", *, kubeconfig: bool = False) -> CertificateSpec:
        return CertificateSpec(name, "kubernetes", common_name, (CLIENT,), organization, kubeconfig=kubeconfig)

    table = [
        CertificateSpec("etcd", "etcd", "etcd", (SERVER,), names=own),
        CertificateSpec("etcd-peer", "etcd", "etcd", (SERVER, CLIENT), names=own),
        CertificateSpec("etcd-root", "etcd", "root", (CLIENT,)),
        CertificateSpec("etcd-kube-apiserver", "etcd", "kube-apiserver", (CLIENT,)),
        CertificateSpec("docker-registry", "registry", "docker-registry", (SERVER,), names=own),
        CertificateSpec(
            "kube-apiserver",
            "kubernetes",
            "kube-apiserver",
            (SERVER,),
            names=(*own, api_service, *api_names, "kubernetes.default.svc.cluster.local"),
        ),
        CertificateSpec("kube-apiserver-kubelet-client", "kubernetes", "kube-apiserver-kubelet-client", (CLIENT,)),
        CertificateSpec("front-proxy-client", "front-proxy", "front-proxy-client", (CLIENT,)),
        CertificateSpec(
            "kube-controller-manager-server", "kubernetes", "kube-controller-manager", (SERVER,), names=own
        ),
        CertificateSpec("kube-scheduler-server", "kubernetes", "kube-scheduler", (SERVER,), names=own),
        CertificateSpec(
            "metrics-server",
            "kubernetes",
            "metrics-server",
            (SERVER,),
            names=("metrics-server.kube-system", "metrics-server.kube-system.svc"),
        ),
        user("kube-controller-manager", "system:kube-controller-manager"),
        user("kube-scheduler", "system:kube-scheduler"),
        # Bypasses RBAC, so it is used only to give the group cluster-admins its role.
        user("super-admin", "super-admin", "system:masters", kubeconfig=True),
        user("admin", "admin", "cluster-admins", kubeconfig=True),
        user("inaetics", "inaetics", kubeconfig=True),
    ]
    for host in declaration.hosts:
        address = str(host.address)
        table += [
            CertificateSpec(f"flannel-{host.name}", "etcd", "flannel", (CLIENT,), organization=host.name),
            user(f"kube-proxy-{host.name}", "system:kube-proxy", host.name),
        ]
        if host.group == "nodes":
            table += [
                CertificateSpec(
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
