"""Each check, on machines that fail it: what was observed, its severity and its remedy."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import pytest

from runner.doctor.snapshot import KUBELET, virtualbox_ranges
from runner.machines.containers import Member
from tests.support.machines import (
    CACHE,
    CHECKOUT,
    DOCKER_ROOT,
    ELSEWHERE,
    MACHINE,
    declared,
    host,
    network,
    problem,
    problems,
    with_docker,
    with_kernel,
    without_docker,
    without_modules,
)

OVERLAPPING = network("bridge", "172.17.0.0/16")


def test_a_machine_that_passes_every_check_has_no_problem() -> None:
    assert problems(MACHINE) == []


def test_a_docker_that_does_not_answer_is_started() -> None:
    found = problem(without_docker())
    assert (found.check, found.severity) == ("Docker", "failure")
    assert found.fix


def test_a_docker_that_the_user_may_not_use_has_its_own_remedy() -> None:
    found = problem(without_docker("Permission denied"))
    assert "usermod" in found.remedy
    assert not found.fix


def test_dockers_default_bridge_overlaps_the_demo_network() -> None:
    found = problem(with_docker(networks=(OVERLAPPING,)))
    assert "172.17.0.0/16" in found.observed
    assert "172.31.255.1/24" in found.remedy
    assert found.fix


@pytest.mark.parametrize(
    ("running", "settings", "fixable"),
    [
        (0, None, True),
        (0, '{"bip": "172.31.255.1/24"}', True),
        (1, None, False),  # somebody's containers would stop
        (0, '{"log-driver": "journald"}', False),  # somebody's settings
        (0, "not JSON", False),
    ],
)
def test_docker_is_restarted_only_where_it_is_safe(running: int, settings: str | None, *, fixable: bool) -> None:
    observed = replace(with_docker(networks=(OVERLAPPING,), running=running), docker_settings=settings)
    assert (problem(observed).fix is not None) is fixable


def test_another_network_of_dockers_that_overlaps_is_named() -> None:
    found = problem(with_docker(networks=(network("web", "172.17.8.0/22"),)))
    assert "docker network rm web" in found.remedy


def test_the_hosts_own_network_is_no_problem() -> None:
    own = network("vagrant_network_172.17.8.0/24", "172.17.8.0/24")
    observed = replace(with_docker(networks=(own,)), routes=((IPv4Network("172.17.8.0/24"), own.device),))
    assert problems(observed) == []


def test_another_container_with_a_hosts_address_is_named_and_left_alone() -> None:
    stranger = Member("f00", "postgres", IPv4Address("172.17.8.31"))
    found = problem(with_docker(networks=(network("db", "172.17.8.0/24", stranger),)))
    assert "postgres has 172.17.8.31 (node-1)" in found.observed
    assert not found.fix


@pytest.mark.parametrize(
    ("to", "severity"),
    [
        ("172.17.8.0/24", "failure"),
        ("172.17.8.20/32", "failure"),
        ("172.16.0.0/12", "warning"),
        ("0.0.0.0/1", None),  # a VPN that takes everything leaves the hosts' more specific route alone
        ("10.0.0.0/8", None),
    ],
)
def test_a_route_that_owns_the_network(to: str, severity: str | None) -> None:
    observed = replace(MACHINE, routes=((IPv4Network(to), "tun0"),))
    assert [finding.severity for finding in problems(observed)] == ([severity] if severity else [])


def test_too_few_ports() -> None:
    found = problem(replace(MACHINE, listening=frozenset(range(2200, 2296))))
    assert "4 of 2200-2299 are free, 6 are needed" in found.observed


def test_too_little_memory_for_containers_and_for_virtual_machines() -> None:
    assert "1950 MiB needed" in problem(replace(MACHINE, memory_mib=1900)).observed
    virtual = replace(MACHINE, memory_mib=6000, vagrant_plugins="vagrant-libvirt (0.12.2, system)")
    assert "6144 MiB needed" in problem(virtual, declared("libvirt")).observed


def test_hosts_that_run_already_need_no_more_memory_and_no_more_ports() -> None:
    running = tuple(host(name, CHECKOUT) for name in ["controller", *(f"node-{n}" for n in range(1, 6))])
    observed = replace(with_docker(containers=running), memory_mib=10, listening=frozenset(range(2200, 2300)))
    assert problems(observed) == []


def test_one_cpu_is_enough_but_slow() -> None:
    assert problem(replace(MACHINE, cpus=1)).severity == "warning"


def test_a_cache_from_which_nothing_may_run_is_named() -> None:
    found = problem(replace(MACHINE, cache_runs_programs=False))
    assert (found.check, found.severity) == ("disk", "failure")
    assert "noexec" in found.observed
    assert "XDG_CACHE_HOME" in found.remedy


def test_a_full_disk_is_named() -> None:
    found = problem(replace(MACHINE, disk_gib={CACHE: 3.0, DOCKER_ROOT: 100.0}))
    assert f"{CACHE} has 3.0 GiB free, 15.0 are needed" in found.observed
    assert problem(replace(MACHINE, disk_gib={CACHE: 100.0, DOCKER_ROOT: 1.0})).severity == "failure"


def test_less_room_is_needed_after_prepare() -> None:
    assert problems(replace(MACHINE, disk_gib={CACHE: 3.0, DOCKER_ROOT: 100.0}, prepared=True)) == []


def test_inotify_limits_grow_with_the_hosts() -> None:
    found = problem(with_kernel(**{"fs.inotify.max_user_instances": 128}))
    assert found.remedy == "`sysctl fs.inotify.max_user_instances=512`"
    assert found.fix


@pytest.mark.parametrize(("name", "value"), KUBELET.items())
def test_what_a_kubelet_would_set_is_named(name: str, value: int) -> None:
    """Of a container it would be the whole machine's, for good."""
    found = problem(with_kernel(**{name: value + 1}))
    assert found.observed == f"{name} {value + 1}; other values are needed for 6 hosts"
    assert found.remedy == f"`sysctl {name}={value}`"
    assert problems(with_kernel(**{name: value + 1}), declared("libvirt")) == problems(MACHINE, declared("libvirt"))


def test_a_kernel_without_the_memory_controller() -> None:
    found = problem(replace(MACHINE, cgroup_controllers=frozenset({"cpu", "cpuset", "pids"})))
    assert "memory" in found.observed


def test_kernel_modules_that_containers_cannot_load_themselves() -> None:
    found = problem(without_modules("br_netfilter", "vxlan"))
    assert found.remedy == "`modprobe -a br_netfilter vxlan`"
    assert found.fix


def test_no_vagrant() -> None:
    assert problem(replace(MACHINE, vagrant=None)).fix


def test_a_provider_without_its_program_or_plugin() -> None:
    assert "vagrant-libvirt" in problem(MACHINE, declared("libvirt")).remedy
    assert any(finding.observed == "VirtualBox is missing" for finding in problems(MACHINE, declared("virtualbox")))


def test_virtualbox_allows_its_own_ranges_only() -> None:
    found = problem(replace(MACHINE, virtualbox="7.0"), declared("virtualbox"))
    assert "172.17.8.0/24 is not in 192.168.56.0/21" in found.observed
    allowed = replace(MACHINE, virtualbox="7.0", virtualbox_ranges=(IPv4Network("172.16.0.0/12"),))
    assert problems(allowed, declared("virtualbox")) == []


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
    found = problem(with_docker(containers=(host(),)))
    assert str(ELSEWHERE) in found.observed
    assert "starts them again" in found.remedy
    assert "docker rm" not in found.remedy
    assert found.fix


@pytest.mark.parametrize("changes", [{"running": False}, {"address": IPv4Address("172.17.9.20")}])
def test_hosts_of_another_checkout_that_are_not_in_the_way_are_left_alone(changes: dict[str, Any]) -> None:
    assert problems(with_docker(containers=(host(**changes),))) == []


@pytest.mark.parametrize("checkout", [ELSEWHERE, CHECKOUT])
def test_running_hosts_without_a_checkout_are_stopped_and_only_a_person_removes_them(checkout: Path) -> None:
    left = host(checkout=checkout)
    found = problem(with_docker(containers=(left,), orphans=frozenset({left.id})))
    assert f"left over from a checkout that is gone ({checkout})" in found.observed
    assert f"docker rm --force --volumes {left.id[:12]}" in found.remedy
    assert found.fix


def test_stopped_hosts_of_a_disk_that_is_not_mounted_are_left_alone() -> None:
    left = host(running=False)
    assert problems(with_docker(containers=(left,), orphans=frozenset({left.id}))) == []


def test_hosts_that_are_no_longer_declared_are_named() -> None:
    found = problem(with_docker(containers=(host("node-9", CHECKOUT),)))
    assert found.severity == "warning"
    assert not found.fix
    assert "node-9" in found.observed


def test_every_problem_that_can_be_fixed_safely_has_a_fix() -> None:
    worst = replace(
        without_modules("vxlan", observed=with_docker(networks=(OVERLAPPING,), containers=(host(),))),
        kernel=dict.fromkeys(MACHINE.kernel, 2),
        vagrant=None,
    )
    assert {finding.check for finding in problems(worst) if finding.fix} == {
        "Docker's networks",
        "Vagrant",
        "hosts of other checkouts",
        "kernel settings",
        "kernel modules",
    }


def test_json_has_the_members_that_programs_of_users_read() -> None:
    assert problem(replace(MACHINE, cpus=1)).as_json() == {
        "check": "CPUs",
        "grade": "warning",
        "seen": "1; it will take longer",
        "remedy": "Give this machine 2 or more.",
        "mendable": False,
    }
