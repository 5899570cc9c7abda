"""The state of hosts, nodes, pods, services and certificates, for people and programs."""

from collections.abc import Sequence
from dataclasses import dataclass

from runner.cluster.api import Api, ApiError, Node, Pod, Service, kubeconfig
from runner.declaration import Declaration, pki
from runner.errors import HostsError
from runner.machines import hosts
from runner.state import State


@dataclass(frozen=True)
class Host:
    """A declared host and its state in the words of its provider."""

    name: str
    address: str
    state: str


@dataclass(frozen=True)
class Status:
    """Everything that `status` shows; `problem` says why nodes, pods and services are missing."""

    hosts: Sequence[Host]
    nodes: Sequence[Node]
    pods: Sequence[Pod]
    services: Sequence[Service]
    certificates: Sequence[pki.CertificateExpiry]
    problem: str = ""


def get_status(declaration: Declaration, state: State) -> Status:
    """Look at hosts, cluster and certificates; a problem takes the place of what the cluster does not show."""
    # No provider knows the user's own machines.
    states = {} if state.own_inventory else hosts.status(declaration)
    unknown = "own machine" if state.own_inventory else "unknown"
    declared = [Host(host.name, str(host.address), states.get(host.name, unknown)) for host in declaration.hosts]
    expiries = pki.expiries(state)
    try:
        api = Api(kubeconfig(declaration, state))
        return Status(declared, api.nodes(), api.pods(), api.services(), expiries)
    except HostsError as error:
        return Status(declared, (), (), (), expiries, error.message)
    except ApiError as error:
        return Status(declared, (), (), (), expiries, f"{error}.")
