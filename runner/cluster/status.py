"""What there is: hosts, nodes, pods, services and how long the certificates last."""

from collections.abc import Sequence
from dataclasses import dataclass

from runner.cluster.api import ApiError, Node, Pod, Service, connect
from runner.declaration import pki
from runner.declaration.model import Declaration
from runner.errors import HostsError
from runner.machines import hosts
from runner.state import State


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
    certificates: Sequence[pki.CertificateExpiry]
    problem: str = ""


def status(declaration: Declaration, state: State) -> Status:
    """Look at hosts, cluster and certificates; what cannot be seen is left out, with its reason."""
    states = hosts.status(declaration)
    known = [Host(host.name, str(host.address), states.get(host.name, "unknown")) for host in declaration.hosts]
    own = pki.expiries(state)
    try:
        api = connect(declaration, state)
        return Status(known, api.nodes(), api.pods(), api.services(), own)
    except HostsError as error:
        return Status(known, (), (), (), own, error.message)
    except ApiError as error:
        return Status(known, (), (), (), own, f"{error}.")
