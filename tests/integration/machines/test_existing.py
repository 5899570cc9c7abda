"""Hosts that exist, and what a checkout may do with them: real containers, which carry labels and run nothing."""

import os
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.declaration.model import Declaration, load
from runner.errors import DeclarationError, HostsError, RunnerError
from runner.machines import existing, hosts
from runner.machines.containers import Container, Docker
from runner.state import DECLARATION, State
from runner.vagrant_settings import LABEL

Create = Callable[..., str]
# Nothing in this network is touched: the containers are in none, and are never started.
NETWORK = "10.254.7"


def docker(*arguments: str, given: str | None = None) -> str:
    done = subprocess.run(["docker", *arguments], input=given, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def declared(**changes: Any) -> Declaration:
    told = load(DECLARATION).model_dump(mode="json") | {"network": f"{NETWORK}.0/24"}
    told |= {"controller": {"address": f"{NETWORK}.20"}, "nodes": {"count": 1, "first_address": f"{NETWORK}.31"}}
    return Declaration.model_validate(told | changes)


@pytest.fixture(name="image", scope="session")
def fixture_image() -> Iterator[str]:
    """An image without a file."""
    image = docker("build", "--quiet", "-", given=f"FROM scratch\nLABEL test={uuid.uuid4().hex}\n")
    yield image
    docker("image", "rm", "--force", image)


@pytest.fixture(name="create")
def fixture_create(image: str) -> Iterator[Create]:
    """Make hosts of a checkout as Vagrant does: with labels, and with its notes; those left over are removed."""
    made: list[str] = []

    def create(checkout: Path, name: str = "node-1", address: str = f"{NETWORK}.31") -> str:
        labels = {"checkout": checkout, "host": name, "address": address}
        given = [f"--label={LABEL}.{key}={value}" for key, value in labels.items()]
        made.append(docker("create", *given, image, "nothing"))
        note(checkout, name, made[-1])
        return made[-1]

    yield create
    for one in made:
        subprocess.run(["docker", "rm", "--force", one], capture_output=True, check=False)


def note(checkout: Path, name: str, machine: str, provider: str = "docker") -> Path:
    """Write what Vagrant notes of a machine."""
    directory = checkout / ".vagrant" / "machines" / name / provider
    directory.mkdir(parents=True)
    (directory / "id").write_text(machine, "utf-8")
    (directory / "vagrant_cwd").write_text(str(checkout), "utf-8")
    return directory


@pytest.fixture(name="checkout")
def fixture_checkout(tmp_path: Path) -> Path:
    """A checkout that has raised hosts."""
    key = State(tmp_path / "checkout").ssh_key
    key.parent.mkdir(parents=True)
    key.touch()
    (tmp_path / "checkout" / "Vagrantfile").touch()
    return tmp_path / "checkout"


@pytest.fixture(name="vagrant")
def fixture_vagrant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in that removes every container that it has noted, as `vagrant destroy` does; returns its calls."""
    program = tmp_path / "bin" / "vagrant"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\necho "$@" >>{tmp_path}/calls\ncat .vagrant/machines/*/docker/id | xargs docker rm --force\n',
        "utf-8",
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return tmp_path / "calls"


def present(checkout: Path) -> list[Container]:
    with Docker() as client:
        return client.containers(checkout)


def refused(error: type[RunnerError], checkout: Path, declaration: Declaration, message: str) -> str:
    """Return the remedy; what exists is as before."""
    before = present(checkout)
    with pytest.raises(error, match=message) as caught:
        existing.check(declaration, checkout=checkout)
    assert present(checkout) == before
    return caught.value.remedy


def test_hosts_that_fit_are_found(checkout: Path, create: Create) -> None:
    assert not existing.check(declared(), checkout=checkout)
    create(checkout)
    assert existing.check(declared(), checkout=checkout)
    more = {"count": 3, "first_address": f"{NETWORK}.31"}
    assert existing.check(declared(nodes=more), checkout=checkout)


def test_a_host_that_was_removed_by_hand_is_no_host(checkout: Path, create: Create) -> None:
    docker("rm", create(checkout, "node-9"))
    assert not existing.check(declared(), checkout=checkout)


def test_hosts_that_are_not_declared_any_more_are_named_with_the_way_to_remove_them(
    checkout: Path, create: Create
) -> None:
    for number in (1, 2, 3):
        create(checkout, f"node-{number}", f"{NETWORK}.{30 + number}")
    remedy = refused(DeclarationError, checkout, declared(), "node-2, node-3 are hosts of the cluster and not declared")
    assert f"drain {NETWORK}.32 {NETWORK}.33 " in remedy
    assert "`vagrant destroy --force node-2 node-3`" in remedy


def test_virtual_machines_that_are_not_declared_any_more_are_named(checkout: Path) -> None:
    note(checkout, "node-2", "0b5c", "libvirt")
    remedy = refused(DeclarationError, checkout, declared(provider="libvirt"), "node-2 are hosts of the cluster")
    assert "`vagrant destroy --force node-2`" in remedy


def test_a_host_keeps_its_address_and_its_provider(checkout: Path, create: Create) -> None:
    create(checkout)
    other = declared(nodes={"count": 1, "first_address": f"{NETWORK}.41"})
    assert "destroy" in refused(DeclarationError, checkout, other, f"node-1 from {NETWORK}.31 to {NETWORK}.41")
    assert "destroy" in refused(DeclarationError, checkout, declared(provider="libvirt"), "node-1 were made by docker")


def test_hosts_without_their_key_are_told_at_once(checkout: Path, create: Create) -> None:
    create(checkout)
    shutil.rmtree(checkout / ".cluster")
    assert "Put it back" in refused(HostsError, checkout, declared(), "The key to node-1 .* is gone")


def test_a_copied_checkout_removes_no_host_of_the_original(
    checkout: Path, create: Create, tmp_path: Path, vagrant: Path
) -> None:
    host = create(checkout)
    machine = note(checkout, "node-2", "0b5c", "libvirt")
    copy = Path(shutil.copytree(checkout, tmp_path / "copy"))
    assert not existing.check(
        declared(provider="libvirt", nodes={"count": 2, "first_address": f"{NETWORK}.31"}), checkout=copy
    )
    hosts.destroy(declared(), lambda _: None, checkout=copy)
    assert [one.id for one in present(checkout)] == [host]
    assert not vagrant.exists()
    assert list(copy.rglob("id")) == []
    assert machine.exists()

    hosts.destroy(declared(), lambda _: None, checkout=checkout)
    assert present(checkout) == []
    assert vagrant.read_text("utf-8").startswith("destroy")


def test_a_checkout_that_was_moved_says_where_it_belongs(
    checkout: Path, create: Create, tmp_path: Path, vagrant: Path
) -> None:
    host = create(checkout)
    moved = checkout.rename(tmp_path / "moved")
    with pytest.raises(HostsError, match=f"node-1 were made by this checkout when it was in {checkout}") as caught:
        existing.check(declared(), checkout=moved)
    assert f"docker rm --force --volumes {host[:12]}" in caught.value.remedy
    with pytest.raises(HostsError, match="node-1 were made"):
        hosts.destroy(declared(), lambda _: None, checkout=moved)
    assert [one.id for one in present(checkout)] == [host]
    assert not vagrant.exists()

    docker("rm", host)
    assert not existing.check(declared(), checkout=moved)


def test_what_was_applied_to_hosts_that_are_gone_is_forgotten(checkout: Path, create: Create, vagrant: Path) -> None:
    create(checkout)
    State(checkout).applied.touch()
    hosts.destroy(declared(), lambda _: None, checkout=checkout)
    assert vagrant.exists()
    assert not State(checkout).applied.exists()
