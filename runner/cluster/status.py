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
from runner.display.lines import BAD, CHANGE, GOOD, QUIET, STRONG
from runner.errors import HostsError
from runner.machines import hosts
from runner.prepare import ReleaseManifest
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
    due = [one for one in found.certificates if one.problem]
    if due:
        cells = ((one.name, Text(f"{one.days_left} days left", BAD)) for one in due)
        show(f"Certificates to renew ({len(due)} of {len(found.certificates)})", "name validity", cells)
    elif found.certificates:
        first = f"{len(found.certificates)}, the first expires in {found.certificates[0].days_left} days"
        console.print(Text.assemble(("Certificates ", STRONG), first), "", sep="\n", soft_wrap=True)
    if found.differences:
        show("Differences", "difference remedy", map(astuple, found.differences))


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
