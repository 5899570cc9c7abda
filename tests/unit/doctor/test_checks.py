"""Each precondition, fed with machines that lack it: what was seen, how grave it is, and what to do."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import pytest

from runner.doctor.findings import Route
from runner.doctor.remedies import REMEDIES
from runner.doctor.snapshot import virtualbox_ranges
from runner.machines.containers import Member
from tests.unit.doctor.machines import (
    CACHE,
    CHECKOUT,
    DOCKER_ROOT,
    ELSEWHERE,
    MACHINE,
    declared,
    host,
    network,
    trouble,
    troubles,
    with_docker,
)

OVERLAPPING = network("bridge", "172.17.0.0/16")


def test_a_machine_that_lacks_nothing_has_no_trouble() -> None:
    assert troubles(MACHINE) == []


def test_a_docker_that_does_not_answer_is_started() -> None:
    found = trouble(replace(MACHINE, docker="Docker does not answer: No such file or directory"))
    assert (found.check, found.grade, found.mendable) == ("Docker", "failure", True)


def test_a_docker_that_is_not_open_to_the_user_is_told_apart() -> None:
    found = trouble(replace(MACHINE, docker="Docker does not answer: Permission denied"))
    assert "usermod" in found.remedy
    assert not found.mendable


def test_dockers_default_bridge_overlaps_the_demo_network() -> None:
    found = trouble(with_docker(networks=(OVERLAPPING,)))
    assert "172.17.0.0/16" in found.seen
    assert "172.31.255.1/24" in found.remedy
    assert found.mendable


@pytest.mark.parametrize(
    ("running", "settings", "mendable"),
    [
        (0, None, True),
        (0, '{"bip": "172.31.255.1/24"}', True),
        (1, None, False),  # somebody's containers would stop
        (0, '{"log-driver": "journald"}', False),  # somebody's settings
        (0, "not JSON", False),
    ],
)
def test_docker_is_restarted_only_where_nobody_minds(running: int, settings: str | None, mendable: bool) -> None:
    seen = replace(with_docker(networks=(OVERLAPPING,), running=running), docker_settings=settings)
    assert trouble(seen).mendable is mendable


def test_another_network_of_dockers_in_the_way_is_named() -> None:
    found = trouble(with_docker(networks=(network("web", "172.17.8.0/22"),)))
    assert "docker network rm web" in found.remedy


def test_the_hosts_own_network_is_no_trouble() -> None:
    own = network("vagrant_network_172.17.8.0/24", "172.17.8.0/24")
    seen = replace(with_docker(networks=(own,)), routes=(Route(IPv4Network("172.17.8.0/24"), own.device),))
    assert troubles(seen) == []


def test_a_strangers_container_on_a_hosts_address_is_named_and_left_alone() -> None:
    stranger = Member("f00", "postgres", IPv4Address("172.17.8.31"))
    found = trouble(with_docker(networks=(network("db", "172.17.8.0/24", stranger),)))
    assert "postgres has 172.17.8.31 (node-1)" in found.seen
    assert not found.mendable


@pytest.mark.parametrize(
    ("to", "grade"),
    [
        ("172.17.8.0/24", "failure"),
        ("172.17.8.20/32", "failure"),
        ("172.16.0.0/12", "warning"),
        ("0.0.0.0/1", None),  # a VPN that takes everything leaves the hosts' more exact route alone
        ("10.0.0.0/8", None),
    ],
)
def test_a_route_that_owns_the_network(to: str, grade: str | None) -> None:
    seen = replace(MACHINE, routes=(Route(IPv4Network(to), "tun0"),))
    assert [finding.grade for finding in troubles(seen)] == ([grade] if grade else [])


def test_too_few_ports() -> None:
    found = trouble(replace(MACHINE, listening=frozenset(range(2200, 2296))))
    assert "4 of 2200-2299 are free, 6 are needed" in found.seen


def test_too_little_memory_for_containers_and_for_virtual_machines() -> None:
    assert "1950 MiB needed" in trouble(replace(MACHINE, memory_mib=1900)).seen
    virtual = replace(MACHINE, memory_mib=6000, vagrant_plugins="vagrant-libvirt (0.12.2, system)")
    assert "6144 MiB needed" in trouble(virtual, declared("libvirt")).seen


def test_hosts_that_run_already_need_no_more_memory_and_no_more_ports() -> None:
    running = tuple(host(name, CHECKOUT) for name in ["controller", *(f"node-{n}" for n in range(1, 6))])
    seen = replace(with_docker(containers=running), memory_mib=10, listening=frozenset(range(2200, 2300)))
    assert troubles(seen) == []


def test_one_cpu_is_enough_but_slow() -> None:
    assert trouble(replace(MACHINE, cpus=1)).grade == "warning"


def test_a_full_disk_is_named() -> None:
    found = trouble(replace(MACHINE, disk_gib={CACHE: 3.0, DOCKER_ROOT: 100.0}))
    assert f"{CACHE} has 3.0 GiB free, 15.0 are needed" in found.seen
    assert trouble(replace(MACHINE, disk_gib={CACHE: 100.0, DOCKER_ROOT: 1.0})).grade == "failure"


def test_less_room_is_needed_once_all_is_prepared() -> None:
    assert troubles(replace(MACHINE, disk_gib={CACHE: 3.0, DOCKER_ROOT: 100.0}, prepared=True)) == []


def test_inotify_limits_grow_with_the_hosts() -> None:
    found = trouble(replace(MACHINE, inotify={"max_user_instances": 128, "max_user_watches": 524288}))
    assert found.remedy == "`sysctl fs.inotify.max_user_instances=512`"
    assert found.mendable


def test_a_kernel_without_the_memory_controller() -> None:
    found = trouble(replace(MACHINE, cgroup_controllers=frozenset({"cpu", "cpuset", "pids"})))
    assert "memory" in found.seen


def test_kernel_modules_that_containers_cannot_load_themselves() -> None:
    found = trouble(replace(MACHINE, bridge_filter=False, vxlan=False))
    assert found.remedy == "`modprobe -a br_netfilter vxlan`"
    assert found.mendable


def test_no_vagrant() -> None:
    assert trouble(replace(MACHINE, vagrant=None)).mendable


def test_a_provider_without_its_program_or_plugin() -> None:
    assert "vagrant-libvirt" in trouble(MACHINE, declared("libvirt")).remedy
    assert any(finding.seen == "VirtualBox is missing" for finding in troubles(MACHINE, declared("virtualbox")))


def test_virtualbox_allows_its_own_ranges_only() -> None:
    found = trouble(replace(MACHINE, virtualbox="7.0"), declared("virtualbox"))
    assert "172.17.8.0/24 is not in 192.168.56.0/21" in found.seen
    allowed = replace(MACHINE, virtualbox="7.0", virtualbox_ranges=(IPv4Network("172.16.0.0/12"),))
    assert troubles(allowed, declared("virtualbox")) == []


@pytest.mark.parametrize(
    ("text", "ranges"),
    [
        ("", ["192.168.56.0/21"]),
        ("# * 10.0.0.0/8\n", ["192.168.56.0/21"]),
        ("* 10.0.0.0/8 192.168.0.0/16\n* 2001::/64\n", ["10.0.0.0/8", "192.168.0.0/16"]),
    ],
)
def test_virtualbox_networks_conf(text: str, ranges: list[str]) -> None:
    assert [str(one) for one in virtualbox_ranges(text)] == ranges


def test_running_hosts_of_another_checkout_on_the_same_addresses_are_stopped() -> None:
    found = trouble(with_docker(containers=(host(),)))
    assert str(ELSEWHERE) in found.seen
    assert "brings them back" in found.remedy
    assert found.mendable


@pytest.mark.parametrize("changes", [{"running": False}, {"address": IPv4Address("172.17.9.20")}])
def test_hosts_of_another_checkout_that_are_not_in_the_way_are_left_alone(changes: dict[str, Any]) -> None:
    assert troubles(with_docker(containers=(host(**changes),))) == []


@pytest.mark.parametrize("checkout", [ELSEWHERE, CHECKOUT])
def test_hosts_that_nobody_knows_are_removed(checkout: Path) -> None:
    left = host(checkout=checkout, running=False)
    found = trouble(with_docker(containers=(left,), orphans=frozenset({left.id})))
    assert "left over" in found.seen
    assert "stop" not in found.remedy


def test_hosts_that_are_no_longer_declared_are_told() -> None:
    found = trouble(with_docker(containers=(host("node-9", CHECKOUT),)))
    assert (found.grade, found.mendable) == ("warning", False)
    assert "node-9" in found.seen


def test_everything_that_is_called_mendable_has_a_remedy() -> None:
    worst = replace(
        with_docker(networks=(OVERLAPPING,), containers=(host(),)),
        inotify={"max_user_instances": 1, "max_user_watches": 1},
        vxlan=False,
        vagrant=None,
    )
    mendable = {finding.check for finding in troubles(worst) if finding.mendable} | {"Docker"}
    assert mendable == set(REMEDIES)
