"""What there is: hosts, nodes, pods, services and how long the certificates last."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from runner.cluster.api import ApiError, Node, Pod, Service, connect
from runner.declaration.model import Declaration
from runner.errors import HostsError
from runner.machines import hosts


@dataclass(frozen=True)
class Certificate:
    """A certificate of the cluster and the days until it ends."""

    name: str
    days_left: int


@dataclass(frozen=True)
class Host:
    """A declared host and the state that its provider gives it."""

    name: str
    address: str
    state: str


@dataclass(frozen=True)
class Status:
    """Everything that `status` shows; `problem` says why nodes, pods and services are not among it."""

    hosts: Sequence[Host]
    nodes: Sequence[Node]
    pods: Sequence[Pod]
    services: Sequence[Service]
    certificates: Sequence[Certificate]
    problem: str = ""


def status(declaration: Declaration, state: Path) -> Status:
    """Look at hosts, cluster and certificates; what cannot be seen is left out, with its reason."""
    states = hosts.status(declaration)
    known = [Host(host.name, str(host.address), states.get(host.name, "unknown")) for host in declaration.hosts]
    own = certificates(state)
    try:
        api = connect(declaration, state)
        return Status(known, api.nodes(), api.pods(), api.services(), own)
    except HostsError as error:
        return Status(known, (), (), (), own, error.message)
    except ApiError as error:
        return Status(known, (), (), (), own, f"{error}.")


def certificates(state: Path) -> list[Certificate]:
    """Every certificate below `pki/certs` and `pki/ca`, the one that ends first at the top."""
    from cryptography import x509

    now = datetime.now(UTC)
    found = []
    for path in sorted((state / "pki").glob("c*/*.crt")):
        ends = x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
        name = f"{path.stem} (authority)" if path.parent.name == "ca" else path.stem
        found.append(Certificate(name, (ends - now).days))
    return sorted(found, key=lambda certificate: certificate.days_left)
