"""The project's containers and Docker's networks: the module that turns the Docker client's errors into the project's.

Every host that is a container carries labels (see the Vagrantfile), by which it is recognised even after its checkout
is gone. Containers without the labels are never looked at.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path
from typing import Any

import docker
import requests
from docker.errors import DockerException, NotFound

from runner.errors import MachineError
from runner.vagrant_settings import LABEL


@dataclass(frozen=True)
class Container:
    """A host that is a container. `address` is the declared one, `has_address` whether it has that now.

    One that is paused runs as well: it keeps its address and its port.
    """

    id: str
    host: str
    checkout: Path
    address: IPv4Address
    running: bool
    paused: bool
    has_address: bool
    ssh_port: int | None

    @property
    def is_abandoned(self) -> bool:
        """True if its checkout was removed or moved; one that cannot be looked at is somebody's."""
        try:
            return not (self.checkout / "Vagrantfile").exists()
        except OSError:  # another user's, or on a network disk that does not answer
            return False


@dataclass(frozen=True)
class Member:
    """A running container's place in a network, whatever project it belongs to."""

    container: str
    name: str
    address: IPv4Address


@dataclass(frozen=True)
class Network:
    """A bridge network of Docker's, and the device that is its bridge on this machine."""

    name: str
    device: str
    subnets: tuple[IPv4Network, ...]
    members: tuple[Member, ...]


@contextmanager
def _translate_errors(action: str) -> Iterator[None]:
    """Turn errors of the Docker client into a MachineError, "Docker does not ACTION"."""
    try:
        yield
    except (DockerException, requests.RequestException) as error:
        raise MachineError(
            f"Docker does not {action}: {_reason(error)}.",
            "Run the same command again; `make doctor` checks Docker and starts it where it can.",
        ) from None


class Docker(AbstractContextManager["Docker"]):
    """Docker's containers and networks, from the daemon that DOCKER_HOST names or the usual socket."""

    def __init__(self) -> None:
        with _translate_errors("answer"):
            self._api = docker.from_env(timeout=60).api
            self._api.ping()

    def __exit__(self, *_: object) -> None:
        self._api.close()

    def containers(self, checkout: Path | None = None) -> list[Container]:
        """Return the hosts of one checkout, or of every checkout, running or stopped."""
        label = f"{LABEL}.checkout" + (f"={checkout}" if checkout else "")
        with _translate_errors("list the hosts"):
            return [_container(data) for data in self._api.containers(all=True, filters={"label": [label]})]

    def stop(self, container: Container) -> None:
        """Shut a host down; its checkout's `vagrant up` brings it back."""
        if container.paused:
            self.resume(container)  # or it would not hear of its end
        with _translate_errors(f"stop {container.host}"), suppress(NotFound):
            self._api.stop(container.id, timeout=30)

    def resume(self, container: Container) -> None:
        """Let a paused host go on."""
        with _translate_errors(f"resume {container.host}"), suppress(NotFound):
            self._api.unpause(container.id)

    def remove(self, container: Container) -> None:
        """Remove a host and its volumes; one that is gone already is fine."""
        with _translate_errors(f"remove {container.host}"), suppress(NotFound):
            self._api.remove_container(container.id, v=True, force=True)

    def networks(self) -> list[Network]:
        """Return Docker's bridge networks, its default one included."""
        found = []
        with _translate_errors("list its networks"):
            for listed in self._api.networks(filters={"driver": "bridge"}):
                # The list has no members, so each is asked for; it may be removed meanwhile.
                with suppress(NotFound):
                    found.append(_network(self._api.inspect_network(listed["Id"])))
        return found

    def remove_network(self, name: str) -> None:
        """Remove a network that no container uses; one that is gone already is fine."""
        with _translate_errors(f"remove the network {name}"), suppress(NotFound):
            self._api.remove_network(name)

    def info(self) -> Mapping[str, Any]:
        """Return the output of `docker info`."""
        with _translate_errors("describe itself"):
            return dict(self._api.info())


def _container(data: Mapping[str, Any]) -> Container:
    labels = data["Labels"]
    address = labels[f"{LABEL}.address"]
    attached = data["NetworkSettings"]["Networks"].values()
    ports = [port["PublicPort"] for port in data["Ports"] if port["PrivatePort"] == 22 and "PublicPort" in port]
    return Container(
        id=data["Id"],
        host=labels[f"{LABEL}.host"],
        checkout=Path(labels[f"{LABEL}.checkout"]),
        address=IPv4Address(address),
        running=data["State"] in ("running", "paused"),
        paused=data["State"] == "paused",
        has_address=any(network["IPAddress"] == address for network in attached),
        ssh_port=ports[0] if ports else None,
    )


def _network(data: Mapping[str, Any]) -> Network:
    members = (data["Containers"] or {}).items()
    return Network(
        name=data["Name"],
        device=data["Options"].get("com.docker.network.bridge.name", f"br-{data['Id'][:12]}"),
        subnets=tuple(IPv4Network(one["Subnet"]) for one in data["IPAM"]["Config"] or () if ":" not in one["Subnet"]),
        members=tuple(
            Member(id_, member["Name"], IPv4Interface(member["IPv4Address"]).ip)
            for id_, member in members
            if member["IPv4Address"]
        ),
    )


def _reason(error: Exception) -> str:
    """The last cause, which is what a person can act on ("Permission denied", "No such file")."""
    cause: BaseException = error
    while earlier := cause.__cause__ or cause.__context__:
        cause = earlier
    return str(cause)
