"""The state of hosts, nodes, pods, services and certificates, for programs and, as tables, for people."""

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from runner.cluster import differences
from runner.cluster.api import Api, ApiError, Node, Pod, Service, kubeconfig
from runner.cluster.differences import Difference
from runner.declaration import Cluster, Declaration, pki
from runner.display.lines import BAD, CHANGE, GOOD, QUIET
from runner.errors import HostsError
from runner.machines import hosts
from runner.prepare import ReleaseManifest
from runner.state import State

SHOWN_CERTIFICATES = 5


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
    differences: Sequence[Difference] = ()  # from what is declared


def get_status(cluster: Cluster, inventory: Path, state: State) -> Status:
    """Look at hosts, cluster and certificates; a problem takes the place of what the cluster does not show."""
    # No provider knows the user's own machines.
    states, unknown = (hosts.status(cluster), "unknown") if isinstance(cluster, Declaration) else ({}, "own machine")
    declared = [Host(host.name, str(host.address), states.get(host.name, unknown)) for host in cluster.hosts]
    expiries = pki.expiries(state)
    found = [*differences.of_declaration(cluster, inventory, state), *differences.of_hosts(cluster, states)]
    if isinstance(cluster, Declaration):
        running = {name: one for name, one in hosts.ssh_config(cluster).items() if states[name] == "running"}
        found += differences.of_units(cluster, running)
    found += differences.of_certificates(expiries)
    try:
        api = Api(kubeconfig(cluster, state))
        nodes, pods, services = api.nodes(), api.pods(), api.services()
    except (HostsError, ApiError) as error:
        return Status(declared, (), (), (), expiries, f"{str(error).removesuffix('.')}.", found)
    release = ReleaseManifest.read(state.release.resolve())
    found += [*differences.of_nodes(cluster, nodes), *differences.of_images(pods, release)]
    return Status(declared, nodes, pods, services, expiries, differences=found)


def print_status(found: Status, console: Console) -> None:
    """Print the tables of a status, with an empty line after each."""
    tables = [_table("Hosts", ("name", "address", "state"), map(astuple, found.hosts))]
    if found.nodes:
        pod_columns = ("namespace", "name", "ready", "status", "restarts", "age", "node")
        service_columns = ("namespace", "name", "type", "address", "external", "ports")
        tables += [
            _table("Nodes", ("name", "state", "version", "cpus", "memory"), map(_node_cells, found.nodes)),
            _table("Pods", pod_columns, map(_pod_cells, found.pods)),
            _table("Services", service_columns, map(astuple, found.services)),
        ]
    rows = [_certificate_cells(one) for one in found.certificates[:SHOWN_CERTIFICATES]]
    if len(found.certificates) > SHOWN_CERTIFICATES:
        rows.append(("the others last longer", ""))
    tables.append(_table(f"Certificates ({len(found.certificates)})", ("name", "days left"), rows))
    if found.differences:
        tables.append(_table("Differences", ("what there is", "what helps"), map(astuple, found.differences)))
    for table in tables:
        console.print(table)
        console.print()


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, header_style=QUIET)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def _node_cells(node: Node) -> tuple[str | Text, ...]:
    state = Text("Ready", GOOD) if node.ready else Text(f"not ready: {node.problem}", BAD)
    return node.name, state, node.version, node.cpus, node.memory


def _pod_cells(pod: Pod) -> tuple[str | Text, ...]:
    ready = Text(f"{pod.ready}/{pod.containers}", GOOD if pod.ready == pod.containers else CHANGE)
    return pod.namespace, pod.name, ready, pod.status, str(pod.restarts), _age(pod.started), pod.node


def _certificate_cells(certificate: pki.CertificateExpiry) -> tuple[str | Text, ...]:
    style = BAD if certificate.problem else GOOD
    return certificate.name, Text(str(certificate.days_left), style)


def _age(started: datetime | None) -> str:
    """Return an age as kubectl prints it: `45s`, `19m`, `3h`, `2d`."""
    if started is None:
        return ""
    seconds = int((datetime.now(UTC) - started).total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{max(seconds, 0)}s"
