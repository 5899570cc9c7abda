"""Facts of a host. Each is asked once, by one command over an ssh connection that stays open."""

import base64
import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Interface, IPv4Network
from typing import Any

import yaml
from ansible.module_utils.parsing.convert_bool import boolean  # type: ignore[import-untyped]  # has no types
from cryptography import x509
from testinfra.host import Host  # type: ignore[import-untyped]  # has no types

from tests.hosts.services import PROPERTIES, SERVICES, Service

CONFIGURATION = (
    "/etc/cni",
    "/etc/containerd",
    "{docker_registry_config_dir}",
    "{etcd_config_dir}",
    "{flannel_config_dir}",
    "{inaetics_app_config_dir}",
    "{kube_master_config_dir}",
    "{kube_node_config_dir}",
    "{kube_proxy_config_dir}",
)
# Where the cluster could have left a key, and where anybody could; the rest belongs to pods or is the mounted release.
OURS = (*CONFIGURATION, "/home/{cluster_user}/.kube", "{cluster_bin_dir}", "/usr/local/sbin", "/var/log/kubernetes")
ANYBODYS = ("/etc", "/home", "/root", "/opt/cluster", "/usr/local", "/var/backups", "/var/log/kubernetes")
KEY_MATERIAL = "PRIVATE KEY-----|client-key-data:|secret: [A-Za-z0-9+/]|tls[.]key:"
ANYWHERE = ("0.0.0.0", "[::]", "*")  # noqa: S104 -- as `ss` writes it; nothing is bound here

State = Mapping[str, str]


@dataclass(frozen=True)
class File:
    """Owner and mode of a file, as `ls` and `chmod` write them."""

    owner: str
    mode: str


@dataclass(frozen=True, order=True)
class Listener:
    """An address that a process listens on."""

    protocol: str
    address: str
    port: int
    process: str


@dataclass(frozen=True)
class Lease:
    """flannel's share of the pod network, from subnet.env."""

    network: IPv4Network
    gateway: IPv4Interface
    mtu: int

    @property
    def subnet(self) -> IPv4Network:
        """The share itself."""
        return self.gateway.network


class Facts:
    """The facts of one host."""

    def __init__(self, host: Host, values: Mapping[str, Mapping[str, Any]]) -> None:
        self._host = host
        # The variables of every host, by name.
        self.neighbours = values
        inventory = host.ansible.get_variables()
        self.name: str = inventory["inventory_hostname"]
        self.groups: list[str] = inventory["group_names"]
        self.nodes = {name: values[name] for name in inventory["groups"]["workers"]}
        self.variables = values[self.name]
        self.address: str = self.variables["cluster_address"]
        # True if nothing on the host is anybody else's.
        self.owned: bool = boolean(self.variables["cluster_owns_hosts"])

    def fill(self, text: str) -> str:
        """Put the host's variables into a text that names them in braces."""
        return text.format_map(self.variables)

    def output(self, command: str) -> str:
        """Return the output of a command; it must succeed."""
        return str(self._host.check_output(command))

    def refused(self, command: str) -> str:
        """Return the error output of a command; it must fail."""
        result = self._host.run(command)
        assert result.rc != 0, f"this should have been refused: {command}\n{result.stdout}"
        return str(result.stderr)

    def json(self, command: str) -> Any:
        """Return the JSON that a command writes."""
        return json.loads(self.output(command))

    def text(self, path: str) -> str:
        """A file's content."""
        return self.output(f"cat {shlex.quote(path)}")

    def yaml(self, path: str) -> Any:
        """A YAML file's content."""
        return yaml.safe_load(self.text(path))

    @property
    def services(self) -> list[Service]:
        """The services that belong on this host."""
        return [service for service in SERVICES if service.group in self.groups]

    @cached_property
    def states(self) -> dict[str, State]:
        """systemd's properties of every service that this host runs."""
        units = [service.unit for service in self.services]
        shown = self.output(f"systemctl show --property={','.join(PROPERTIES)} {' '.join(units)}")
        states = [dict(line.split("=", 1) for line in block.splitlines()) for block in shown.strip().split("\n\n")]
        return dict(zip(units, states, strict=True))

    @cached_property
    def commands(self) -> dict[str, list[str]]:
        """The command line of every service's main process."""
        pids = {unit: state["MainPID"] for unit, state in self.states.items() if state["MainPID"] != "0"}
        output = self.output("; ".join(f"tr '\\0\\n' '\\n ' < /proc/{pid}/cmdline; echo" for pid in pids.values()))
        blocks = output.rstrip("\n").split("\n\n")
        return {unit: block.splitlines() for unit, block in zip(pids, blocks, strict=True)}

    @cached_property
    def files(self) -> dict[str, File]:
        """Owner and mode of the cluster's configuration, directories too; a link has no mode of its own."""
        return self._find(sorted(set(map(self.fill, CONFIGURATION))), "! -type l")

    def stat(self, *paths: str) -> dict[str, File]:
        """Owner and mode of these files and directories; what is not there is left out."""
        return self._find(paths, "-prune")

    def _find(self, paths: Iterable[str], which: str) -> dict[str, File]:
        found = self.output(f"find {shlex.join(paths)} {which} -printf '%p\\t%u\\t%m\\n' 2>/dev/null || true")
        rows = [line.split("\t") for line in found.splitlines()]
        return {path: File(owner, mode.zfill(4)) for path, owner, mode in rows}

    @cached_property
    def secrets(self) -> list[str]:
        """Every file that holds a private key or an encryption key, ssh's own and a machine owner's aside."""
        where = " ".join(map(self.fill, ANYBODYS if self.owned else OURS))
        found = self.output(
            f"grep -rlsE --exclude-dir=ssh --exclude-dir=releases {where} -e {shlex.quote(KEY_MATERIAL)} || true"
        )
        return sorted(set(found.splitlines()))

    @cached_property
    def certificates(self) -> dict[str, x509.Certificate]:
        """Every certificate of the cluster's configuration, those in kubeconfigs too."""
        paths = [path for path in self.files if path.endswith((".crt", ".kubeconfig", "/kubeconfig"))]
        output = self.output("; ".join(f"echo '=== {path}'; grep -v key-data {shlex.quote(path)}" for path in paths))
        contents = dict(block.split("\n", 1) for block in output.split("=== ")[1:])
        held = {path: _certificate(path, content) for path, content in contents.items()}
        return {path: certificate for path, certificate in held.items() if certificate is not None}

    @cached_property
    def listeners(self) -> list[Listener]:
        """Every TCP and UDP address that something on this host listens on."""
        return sorted(_listener(line.split()) for line in self.output("ss -Hltunp").splitlines())

    @property
    def kubectl(self) -> str:
        """The administrators' kubectl, to begin a command with."""
        return self.fill("{cluster_bin_dir}/kubectl --kubeconfig={cluster_admin_kubeconfig}")

    @cached_property
    def open(self) -> set[tuple[str, int, str]]:
        """Return what other hosts can reach at the private address: protocol, port and process."""
        reachable = (*ANYWHERE, self.address)
        return {(one.protocol, one.port, one.process) for one in self.listeners if one.address in reachable}

    @cached_property
    def routes(self) -> dict[str, Mapping[str, Any]]:
        """The routes of the main table, by destination."""
        return {route["dst"]: route for route in self.json("ip -json -4 route show")}

    @cached_property
    def lease(self) -> Lease:
        """flannel's lease."""
        lines = dict(line.split("=", 1) for line in self.text("/run/flannel/subnet.env").splitlines())
        return Lease(
            IPv4Network(lines["FLANNEL_NETWORK"]), IPv4Interface(lines["FLANNEL_SUBNET"]), int(lines["FLANNEL_MTU"])
        )

    def journal(self, unit: str, lines: int | str = "all") -> str:
        """A unit's journal since its current start, or its last lines."""
        if lines == "all":
            invocation = self.states[unit]["InvocationID"]
            return self.output(f"journalctl --no-pager --output=cat _SYSTEMD_INVOCATION_ID={invocation}")
        return self.output(f"journalctl --no-pager --unit={unit} --lines={lines}")

    def readers(self, user: str, paths: list[str]) -> list[str]:
        """Those of the paths that a user can read."""
        tries = "; ".join(f"test -r {path} && echo {path}" for path in map(shlex.quote, paths))
        return self.output(f"runuser -u {user} -- sh -c {shlex.quote(tries)} || true").splitlines()


def _certificate(path: str, content: str) -> x509.Certificate | None:
    """Return the certificate in a file; None for a kubeconfig that names a file instead of holding one."""
    if path.endswith(".crt"):
        return x509.load_pem_x509_certificate(content.encode())
    client = yaml.safe_load(content)["users"][0]["user"]
    held = client.get("client-certificate-data")
    return x509.load_pem_x509_certificate(base64.b64decode(held)) if held else None


def _listener(columns: list[str]) -> Listener:
    address, _, port = columns[4].rpartition(":")
    process = columns[6].split('"')[1] if len(columns) > 6 else ""
    return Listener(columns[0], address.partition("%")[0], int(port), process)
