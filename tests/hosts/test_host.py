"""The things that role host gives every host."""

import pytest

from tests.hosts.facts import Facts, File

testinfra_hosts = ["ansible://cluster"]

PROGRAMS = {
    "cluster": "flanneld kube-proxy",
    "control_plane": "etcd etcdctl etcdutl kube-apiserver kube-controller-manager kube-scheduler kubectl registry",
    "workers": "bridge containerd containerd-shim-runc-v2 ctr host-local kubelet loopback portmap runc",
}


def test_packages_are_installed(facts: Facts) -> None:
    """kubelet, kube-proxy and containerd call these and fail late, in odd ways, without them."""
    packages = facts.variables["host_packages"]
    shown = facts.output(f"dpkg-query --show --showformat='${{Package}} ${{db:Status-Status}}\\n' {' '.join(packages)}")
    assert dict(line.split() for line in shown.splitlines()) == dict.fromkeys(packages, "installed")


def test_kernel_forwards_and_filters_for_pods(facts: Facts) -> None:
    """Without these, packets between pods and services vanish without a word."""
    declared = [f"{name} = {value}" for name, value in facts.variables["host_sysctls"].items()]
    assert facts.output(f"sysctl {' '.join(facts.variables['host_sysctls'])}").splitlines() == declared
    assert set(declared) <= set(facts.text("/etc/sysctl.d/90-cluster.conf").splitlines())


def test_the_workstations_kernel_is_out_of_reach(facts: Facts) -> None:
    """kubelet and systemd would set the whole machine's parameters, for good."""
    if not facts.variables["cluster_hosts_are_containers"]:
        pytest.skip("the kernel is the host's own")
    assert facts.output("sysctl --write kernel.panic=$(sysctl --values kernel.panic) || echo refused") == "refused"
    assert facts.output("sysctl --write net.ipv4.ip_forward=1")


def test_programs_are_roots_alone_to_change(facts: Facts) -> None:
    """Units run these as root: a user that can replace one owns the host."""
    names = [name for group in facts.groups for name in PROGRAMS.get(group, "").split()]
    programs = [f"{facts.variables['cluster_bin_dir']}/{name}" for name in names]
    modes = facts.output(f"stat --dereference --format='%U %a' {' '.join(programs)}").splitlines()
    assert dict(zip(programs, modes, strict=True)) == dict.fromkeys(programs, "root 755")


def test_hosts_know_each_other_by_name(facts: Facts) -> None:
    """The network of the cluster has no name server of its own for hosts, and needs none."""
    if not facts.variables["host_names_in_hosts_file"]:
        pytest.skip("names of hosts are left to the machine's owner")
    found = facts.output(f"getent ahostsv4 {' '.join(facts.neighbours)}").splitlines()
    first = {name: next(line.split()[0] for line in found if line.endswith(f" {name}")) for name in facts.neighbours}
    assert first == {name: variables["cluster_address"] for name, variables in facts.neighbours.items()}


def test_knows_itself_by_name(facts: Facts) -> None:
    """sudo and much else look the machine's own name up, and wait where nobody knows it."""
    assert facts.output("getent hosts localhost $(hostname)")
    assert facts.output("hostname") == facts.name or not facts.owned


def test_has_its_declared_address(facts: Facts) -> None:
    """Certificates, routes and the name of the node all carry this address."""
    addresses = [info["local"] for link in facts.json("ip -json -4 address") for info in link["addr_info"]]
    assert facts.address in addresses


def test_core_has_bash_and_no_password(facts: Facts) -> None:
    """The original demonstrator's user logs in with a key."""
    assert facts.output(facts.fill("getent passwd {cluster_user}")).split(":")[-1] == "/bin/bash"
    assert facts.output(facts.fill("getent shadow {cluster_user}")).split(":")[1][:1] in "!*" or not facts.owned
    assert facts.stat("/etc/sudoers.d/cluster") == {"/etc/sudoers.d/cluster": File("root", "0440")}


def test_core_may_administrate(facts: Facts) -> None:
    """The original demonstrator's user has sudo without a password."""
    if not facts.variables["host_passwordless_sudo"]:
        pytest.skip("who may do what by sudo is left to the machine's owner")
    asked = facts.fill("runuser -u {cluster_user} -- sudo --non-interactive id --user --name")
    assert facts.output(asked) == "root"


def test_ssh_takes_keys_only(facts: Facts) -> None:
    """A password can be guessed; a key cannot."""
    if not facts.owned:
        pytest.skip("sshd is left to the machine's owner")
    settings = dict(line.split(" ", 1) for line in facts.output("sshd -T").splitlines())
    assert (settings["passwordauthentication"], settings["kbdinteractiveauthentication"]) == ("no", "no")


def test_nothing_has_failed(facts: Facts) -> None:
    """A failed unit of any owner means that the host is not as it should be; on a machine of one's own, one of ours."""
    units = "" if facts.owned else " ".join(service.unit for service in facts.services)
    assert facts.output(f"systemctl list-units --failed --plain --no-legend {units}") == ""
