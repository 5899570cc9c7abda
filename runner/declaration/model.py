"""A cluster as typed data, and inventory/cluster.yml as such; an error names line, key, value and rule."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Address, IPv4Network
from itertools import combinations
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from runner import names
from runner.errors import DeclarationError


def _address(value: object) -> IPv4Address:
    try:
        return IPv4Address(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError("must be an IPv4 address such as 172.17.8.20") from None


def _network(value: object) -> IPv4Network:
    try:
        network = IPv4Network(value if isinstance(value, str) else "")
    except ValueError as error:
        why = " (an address has bits set outside the prefix)" if "host bits" in str(error) else ""
        raise ValueError(f"must be an IPv4 network such as 172.17.8.0/24{why}") from None
    if not network.is_private:
        raise ValueError("must be a private network (10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16)")
    return network


def _text(pattern: str, rule: str) -> BeforeValidator:
    def check(value: object) -> str:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise ValueError(f"must be {rule}")
        return value

    return BeforeValidator(check)


Address = Annotated[IPv4Address, BeforeValidator(_address)]
Network = Annotated[IPv4Network, BeforeValidator(_network)]
NETWORKS = ("network", "pod_network", "service_network")
Cpus = Annotated[int, Field(strict=True, ge=1, le=64)]
Label = Annotated[
    str,
    _text(
        r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?", "at most 40 lower case letters, digits and hyphens, and begin with a letter"
    ),
]
_NAME = r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?"
DnsName = Annotated[str, _text(_NAME, "a DNS name such as cluster.local")]
HostPort = Annotated[str, _text(rf"{_NAME}:\d+", "HOST:PORT")]
HttpsUrl = Annotated[str, _text(rf"https://{_NAME}:\d+", "https://HOST:PORT")]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Controller(_Model):
    """The host with the API server, etcd and the registry."""

    address: Address
    cpus: Cpus = 1
    memory: int = Field(default=1024, strict=True, ge=768)  # MiB; the control plane alone uses about 600


MOST_NODES = 50


class Nodes(_Model):
    """The hosts that run pods; they are equal and have consecutive addresses."""

    count: int = Field(strict=True, ge=1, le=MOST_NODES)
    first_address: Address
    cpus: Cpus = 1
    # MiB; kubelet, containerd and flannel take about 150 before the first pod
    memory: int = Field(default=1024, strict=True, ge=512)


@dataclass(frozen=True)
class Host:
    """One host of the declared cluster; memory is in MiB."""

    name: str
    address: Address
    cpus: int
    memory: int
    group: Literal["control_plane", "workers"]


def _parts(limit: str | None) -> list[str]:
    return [part for part in re.split("[,:]", limit or "") if part]


class Endpoints(_Model):
    """Places of a cluster's servers, and the domain of its services: Ansible's variables `cluster_…` of these names."""

    api_url: HttpsUrl
    etcd_url: HttpsUrl
    registry: HostPort
    domain: DnsName


class Cluster(_Model):
    """Hosts and networks of a cluster, made by Vagrant or by a person."""

    name: Label
    pod_network: Network
    service_network: Network

    @property
    def hosts(self) -> tuple[Host, ...]:
        """All hosts, the controller first."""
        raise NotImplementedError

    @property
    def address(self) -> IPv4Address:
        """The controller's address, where API and pages are."""
        return self.hosts[0].address

    @property
    def groups(self) -> dict[str, list[str]]:
        """The hosts of each group, and each host by itself, as `--limit` names them."""
        hosts = [host.name for host in self.hosts]
        one, others = hosts[:1], hosts[1:]
        groups = {"all": hosts, "cluster": hosts, "control_plane": one, "etcd": one, "workers": others}
        return groups | {name: [name] for name in hosts}

    def hosts_matching(self, limit: str | None) -> list[str] | None:
        """Return the hosts that `--limit` names, or None without a limit or where only Ansible can resolve it."""
        groups, parts = self.groups, _parts(limit)
        if limit is None or not groups.keys() >= set(parts):
            return None
        return list(dict.fromkeys(host for part in parts for host in groups[part]))

    def check_limit(self, limit: str | None) -> None:
        """Raise a ValueError for a host or group that does not exist; Ansible's patterns are left to Ansible."""
        named = [part.lstrip("!&") for part in _parts(limit)]
        names.check("there is no host or group", (one for one in named if re.fullmatch(r"[\w.-]+", one)), self.groups)

    @model_validator(mode="after")
    def _check_networks(self) -> Self:
        for one, other in combinations((name for name in NETWORKS if name in type(self).model_fields), 2):
            first, second = getattr(self, one), getattr(self, other)
            if first.overlaps(second):
                raise ValueError(f"{other} {second} must not overlap {one} ({first})")
        # kube-apiserver refuses more than 20 bits of services.
        if not 12 <= self.service_network.prefixlen <= 24:
            raise ValueError(f"service_network {self.service_network} must have a prefix of /12 to /24")
        # Flannel takes a /24 for each host and leaves out the first and the last.
        if 2 ** max(24 - self.pod_network.prefixlen, 0) - 2 < len(self.hosts):
            rule = f"must have a /24 for each of {len(self.hosts)} hosts, and two more"
            raise ValueError(f"pod_network {self.pod_network} {rule}")
        return self


class Declaration(Cluster):
    """The cluster that the user wants on this workstation."""

    provider: Literal["docker", "virtualbox", "libvirt"]
    network: Network
    controller: Controller
    nodes: Nodes

    @cached_property
    def hosts(self) -> tuple[Host, ...]:
        """All hosts, the controller first."""
        return self.possible_hosts[: 1 + self.nodes.count]

    @cached_property
    def possible_hosts(self) -> tuple[Host, ...]:
        """The hosts that there would be with the most nodes."""
        first, nodes = self.controller, self.nodes
        addresses = (nodes.first_address + offset for offset in range(MOST_NODES))
        return (
            Host("controller", first.address, first.cpus, first.memory, "control_plane"),
            *(Host(f"node-{n}", one, nodes.cpus, nodes.memory, "workers") for n, one in enumerate(addresses, 1)),
        )

    @property
    def gateway(self) -> IPv4Address:
        """The workstation's own address in the hosts' network."""
        return self.network[1]

    @model_validator(mode="after")
    def _check_addresses(self) -> Self:
        taken = {
            self.network[0]: "the network's own address",
            self.network[1]: "this workstation's address",
            self.network[-1]: "the network's broadcast address",
        }
        for host in self.hosts:
            key = "controller.address" if host.group == "control_plane" else "nodes.first_address"
            if host.address not in self.network:
                raise ValueError(f"{key} {host.address} ({host.name}) must lie in network ({self.network})")
            if host.address in taken:
                raise ValueError(f"{key} {host.address} ({host.name}) must not be {taken[host.address]}")
            taken[host.address] = f"the address of {host.name}"
        return self


def load(path: Path) -> Declaration:
    """Read and validate a declaration; a DeclarationError tells line, key, value and rule of each mistake."""
    try:
        text = path.read_text(encoding="utf-8")
        root, data = yaml.compose(text, yaml.SafeLoader), yaml.safe_load(text)
    except (OSError, UnicodeDecodeError) as error:
        remedy = "`git checkout inventory/cluster.yml` brings the default one back."
        raise DeclarationError(f"cannot read the declaration {path}: {error}", remedy) from None
    except yaml.YAMLError as error:
        raise DeclarationError(f"{path} is not YAML: {error}") from None
    if not isinstance(root, yaml.MappingNode):
        raise DeclarationError(f"{path} must be a mapping of keys to values (name: …, provider: …)")
    keys = list(_keys(root))
    lines, names = dict(keys), [key for key, _ in keys]
    # YAML forbids a key that occurs twice, and PyYAML accepts it.
    mistakes = [f"line {line}: {key} is given twice" for index, (key, line) in enumerate(keys) if key in names[:index]]
    if not mistakes:
        try:
            return Declaration.model_validate(data)
        except ValidationError as error:
            mistakes = [describe(detail, lines) for detail in error.errors()]
    if len(mistakes) == 1:
        raise DeclarationError(f"{path}, {mistakes[0]}")
    raise DeclarationError(f"{path} has {len(mistakes)} mistakes", details="\n".join(mistakes))


def _keys(node: yaml.MappingNode, prefix: str = "") -> Iterator[tuple[str, int]]:
    for key, value in node.value:
        yield f"{prefix}{key.value}", key.start_mark.line + 1
        if isinstance(value, yaml.MappingNode):
            yield from _keys(value, f"{prefix}{key.value}.")


def describe(detail: ErrorDetails, lines: dict[str, int]) -> str:
    """Return a mistake in words, with its line if there is one."""
    rule = detail["msg"].removeprefix("Value error, ").replace("Input should", "must")
    # A rule about several keys has no location in pydantic: its text begins with the key.
    field = ".".join(map(str, detail["loc"])) or rule.partition(" ")[0]
    line = lines.get(field) or lines.get(field.rpartition(".")[0])
    where = f"line {line}: " if line else ""
    if not detail["loc"]:
        return where + rule
    match detail["type"]:
        case "missing":
            return f"{where}{field} is missing"
        case "extra_forbidden":
            return f"{where}{field} is not a key that this file knows"
    return f"{where}{field} is {detail['input']!r} but {rule}"
