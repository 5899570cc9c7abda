"""The tables that `status` prints."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from runner.cluster.api import Node, Pod, Service
from runner.cluster.status import Host, Status
from runner.declaration.pki import RENEW_WHEN_DAYS_LEFT, CertificateExpiry
from runner.display.lines import BAD, CHANGE, GOOD, QUIET

SHOWN_CERTIFICATES = 5


def print_status(found: Status, console: Console) -> None:
    """Print the tables of a status, with an empty line after each."""
    for table in status_tables(found):
        console.print(table)
        console.print()


def status_tables(found: Status) -> Iterator[Table]:
    """Yield a table of each kind of object."""
    yield _hosts(found.hosts)
    if found.nodes:
        yield _nodes(found.nodes)
        yield _pods(found.pods)
        yield _services(found.services)
    yield _certificates(found.certificates)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, header_style=QUIET)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _hosts(hosts: Sequence[Host]) -> Table:
    table = _table("Hosts", "name", "address", "state")
    for host in hosts:
        table.add_row(host.name, host.address, host.state)
    return table


def _nodes(nodes: Sequence[Node]) -> Table:
    table = _table("Nodes", "name", "state", "version", "cpus", "memory")
    for node in nodes:
        state = Text("Ready", GOOD) if node.ready else Text(f"not ready: {node.problem}", BAD)
        table.add_row(node.name, state, node.version, node.cpus, node.memory)
    return table


def _pods(pods: Sequence[Pod]) -> Table:
    table = _table("Pods", "namespace", "name", "ready", "status", "restarts", "age", "node")
    for pod in pods:
        ready = Text(f"{pod.ready}/{pod.containers}", GOOD if pod.ready == pod.containers else CHANGE)
        table.add_row(pod.namespace, pod.name, ready, pod.status, str(pod.restarts), _age(pod.started), pod.node)
    return table


def _services(services: Sequence[Service]) -> Table:
    table = _table("Services", "namespace", "name", "type", "address", "external", "ports")
    for service in services:
        table.add_row(service.namespace, service.name, service.kind, service.address, service.external, service.ports)
    return table


def _certificates(certificates: Sequence[CertificateExpiry]) -> Table:
    table = _table(f"Certificates ({len(certificates)})", "name", "days left")
    for certificate in certificates[:SHOWN_CERTIFICATES]:
        days = Text(str(certificate.days_left), GOOD if certificate.days_left >= RENEW_WHEN_DAYS_LEFT else BAD)
        table.add_row(certificate.name, days)
    if len(certificates) > SHOWN_CERTIFICATES:
        table.add_row("the others last longer", "")
    return table


def _age(started: datetime | None) -> str:
    """Return an age as kubectl prints it: `45s`, `19m`, `3h`, `2d`."""
    if started is None:
        return ""
    seconds = int((datetime.now(UTC) - started).total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{max(seconds, 0)}s"
