"""The cluster as its users meet it: the API, its hosts, and pods of the tests' own."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest
import testinfra  # type: ignore[import-untyped]  # has no types
from kubernetes import client

from runner.cluster import configuration
from runner.declaration.model import Declaration, Host, load
from runner.machines import hosts
from runner.state import DECLARATION, State
from tests.support.cluster.pods import CoreApi, Pods, Probe
from tests.support.cluster.workstation import Shell
from tests.support.ssh import connect_as_root

Connect = Callable[[str], client.ApiClient]  # the name of a certificate in .cluster/pki/certs


def pytest_configure(config: pytest.Config) -> None:
    """See tests/support/ssh.py."""
    connect_as_root(config)


@pytest.fixture(scope="session")
def declaration() -> Declaration:
    """The user's declaration of the cluster."""
    return load(DECLARATION)


@pytest.fixture(scope="session", autouse=True)
def _network(declaration: Declaration) -> None:
    if not hosts.bridge_present(declaration):
        pytest.fail(f"{declaration.network} is not on this machine: nothing may be sent there. `make site` raises it.")


@pytest.fixture(scope="session")
def state() -> Path:
    """Kubeconfig and certificates on the workstation."""
    return State().directory


@pytest.fixture(scope="session")
def connect(state: Path) -> Iterator[Connect]:
    """Makes a client of the API for the holder of a certificate of the cluster."""
    with ExitStack() as clients:

        def connect(certificate: str) -> client.ApiClient:
            settings = configuration(state / "kubeconfig")
            settings.cert_file, settings.key_file = (
                str(state / "pki" / "certs" / f"{certificate}.{suffix}") for suffix in ("crt", "key")
            )
            made = client.ApiClient(settings)
            clients.callback(made.rest_client.pool_manager.clear)
            return made

        yield connect


@pytest.fixture(scope="session")
def api(connect: Connect) -> client.ApiClient:
    """The API as the cluster's administrator."""
    return connect("admin")


@pytest.fixture(scope="session")
def core(api: client.ApiClient) -> CoreApi:
    """Pods, services, nodes …"""
    return client.CoreV1Api(api)


@pytest.fixture(scope="session")
def nodes(declaration: Declaration) -> Sequence[Host]:
    """The hosts that run pods."""
    return [host for host in declaration.hosts if host.group == "workers"]


@pytest.fixture(scope="session")
def on(pytestconfig: pytest.Config) -> Callable[[str], Shell]:
    """A shell on a host, as the user that people log in as."""

    @cache
    def on(name: str) -> Shell:
        inventory, ssh = pytestconfig.option.ansible_inventory, pytestconfig.option.ssh_config
        return Shell(testinfra.get_host(f"ansible://{name}", ansible_inventory=inventory, ssh_config=ssh, sudo=True))

    return on


@pytest.fixture(scope="session")
def pods(connect: Connect, core: CoreApi) -> Iterator[Pods]:
    """A namespace for the tests' own pods, under the level that the demonstrator runs under."""
    with Pods(core, connect("admin")) as pods:
        yield pods


@pytest.fixture(scope="session")
def probes(pods: Pods, nodes: Sequence[Host]) -> list[Probe]:
    """A web server on the first and on the last node."""
    return pods.serve("probe", [nodes[0], nodes[-1]])
