"""The state of hosts, nodes, pods, services and certificates, for programs and, as tables, for people."""

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from runner.cluster.api import Api, ApiError, Node, Pod, Service, kubeconfig
from runner.declaration import Cluster, Declaration, pki
from runner.display.lines import BAD, CHANGE, GOOD, QUIET, STRONG
from runner.errors import HostsError
from runner.machines import hosts
from runner.state import State

GAP = 2  # columns between two cells of a table


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


def get_status(cluster: Cluster, state: State) -> Status:
    """Look at hosts, cluster and certificates; a problem takes the place of what the cluster does not show."""
    # No provider knows the user's own machines.
    states, unknown = (hosts.status(cluster), "unknown") if isinstance(cluster, Declaration) else ({}, "own machine")
    declared = [Host(host.name, str(host.address), states.get(host.name, unknown)) for host in cluster.hosts]
    expiries = pki.expiries(state)
    try:
        api = Api(kubeconfig(cluster, state))
        return Status(declared, api.nodes(), api.pods(), api.services(), expiries)
    except (HostsError, ApiError) as error:
        return Status(declared, (), (), (), expiries, f"{str(error).removesuffix('.')}.")


def print_status(found: Status, console: Console) -> None:
    """Print the tables of a status, with an empty line after each."""

    def show(title: str, columns: str, rows: Iterable[Sequence[str | Text]], dispensable: str = "") -> None:
        table = _table(columns.split(), list(rows), dispensable.split(), console.width)
        console.print(Text(title, STRONG), table, "", sep="\n", crop=False)

    show("Hosts", "name address state", map(astuple, found.hosts))
    if found.nodes:
        show("Nodes", "name state version cpus memory", map(_node_cells, found.nodes), "version cpus memory")
        columns = "namespace name ready status restarts age node"
        show("Pods", columns, map(_pod_cells, found.pods), "namespace restarts age node")
        columns = "namespace name type address external ports"
        show("Services", columns, map(_service_cells, found.services), "namespace type address")
    expiring = [one for one in found.certificates if one.days_left < pki.RENEW_WHEN_DAYS_LEFT]
    if expiring:
        cells = ((one.name, Text(f"{one.days_left} days left", BAD)) for one in expiring)
        show(f"Certificates to renew ({len(expiring)} of {len(found.certificates)})", "name validity", cells)
    elif found.certificates:
        first = f"{len(found.certificates)}, the first expires in {found.certificates[0].days_left} days"
        console.print(Text.assemble(("Certificates ", STRONG), first), soft_wrap=True)


def _table(
    columns: Sequence[str], rows: Sequence[Sequence[str | Text]], dispensable: Sequence[str], width: int
) -> Table:
    """Return a table from which `dispensable` columns are left out, one after the other, before a word would be cut."""
    needed = {
        column: max(len(word) for cell in (column, *cells) for word in str(cell).split(" "))
        for column, *cells in zip(columns, *rows, strict=True)
    }

    def total(shown: Sequence[str]) -> int:
        return sum(needed[column] + GAP for column in shown) - GAP

    shown = list(columns)
    for column in dispensable:
        if total(shown) > width:
            shown.remove(column)
    table = Table(box=None, pad_edge=False, header_style=QUIET, width=total(shown) if total(shown) > width else None)
    for column in shown:
        # Only cells with blanks, which are prose, have more than one line.
        table.add_column(column, no_wrap=not any(" " in str(row[columns.index(column)]) for row in rows))
    for row in rows:
        table.add_row(*(cell for column, cell in zip(columns, row, strict=True) if column in shown))
    return table


def _node_cells(node: Node) -> tuple[str | Text, ...]:
    state = Text("Ready", GOOD) if node.ready else Text(f"not ready: {node.problem}", BAD)
    return node.name, state, node.version, node.cpus, node.memory


def _pod_cells(pod: Pod) -> tuple[str | Text, ...]:
    ready = Text(f"{pod.ready}/{pod.containers}", GOOD if pod.ready == pod.containers else CHANGE)
    return pod.namespace, pod.name, ready, pod.status, str(pod.restarts), _age(pod.started), pod.node


def _service_cells(service: Service) -> tuple[str, ...]:
    *cells, ports = astuple(service)
    return *cells, ports.replace(",", ", ")


def _age(started: datetime | None) -> str:
    """Return an age as kubectl prints it: `45s`, `19m`, `3h`, `2d`."""
    if started is None:
        return ""
    seconds = int((datetime.now(UTC) - started).total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{max(seconds, 0)}s"
