"""The things that role host gives every host."""

from tests.hosts.facts import Facts, File

testinfra_hosts = ["ansible://cluster"]

PACKAGES = ("ca-certificates", "conntrack", "curl", "ethtool", "iptables", "kmod", "procps", "socat", "sudo")
SYSCTLS = {
    "net.bridge.bridge-nf-call-iptables": "1",
    "net.ipv4.conf.all.rp_filter": "0",
    "net.ipv4.ip_forward": "1",
}
PROGRAMS = {
    "cluster": "flanneld kube-proxy",
    "control_plane": "etcd etcdctl etcdutl kube-apiserver kube-controller-manager kube-scheduler kubectl registry",
    "workers": "bridge containerd containerd-shim-runc-v2 ctr host-local kubelet loopback portmap runc",
}


def test_packages_are_installed(facts: Facts) -> None:
    """kubelet, kube-proxy and containerd call these and fail late, in odd ways, without them."""
    shown = facts.output(f"dpkg-query --show --showformat='${{Package}} ${{db:Status-Status}}\\n' {' '.join(PACKAGES)}")
    assert dict(line.split() for line in shown.splitlines()) == dict.fromkeys(PACKAGES, "installed")


def test_kernel_forwards_and_filters_for_pods(facts: Facts) -> None:
    """Without these, packets between pods and services vanish without a word."""
    shown = facts.output(f"sysctl {' '.join(SYSCTLS)}")
    assert dict(line.split(" = ") for line in shown.splitlines()) == SYSCTLS
    assert all(f"{name} = {value}" in facts.text("/etc/sysctl.d/90-cluster.conf") for name, value in SYSCTLS.items())


def test_programs_are_roots_alone_to_change(facts: Facts) -> None:
    """Units run these as root: a user that can replace one owns the host."""
    programs = [f"/opt/cluster/bin/{name}" for group in facts.groups for name in PROGRAMS.get(group, "").split()]
    modes = facts.output(f"stat --dereference --format='%U %a' {' '.join(programs)}").splitlines()
    assert dict(zip(programs, modes, strict=True)) == dict.fromkeys(programs, "root 755")


def test_hosts_know_each_other_by_name(facts: Facts) -> None:
    """The network of the cluster has no name server of its own for hosts, and needs none."""
    lines = [line.split() for line in facts.text("/etc/hosts").splitlines() if not line.startswith("#")]
    names = {name: line[0] for line in lines for name in line[1:]}
    assert {name: names.get(name) for name in facts.neighbours} == {
        name: variables["cluster_address"] for name, variables in facts.neighbours.items()
    }
    assert facts.output("hostname") == facts.name


def test_has_its_declared_address(facts: Facts) -> None:
    """Certificates, routes and the name of the node all carry this address."""
    addresses = [info["local"] for link in facts.json("ip -json -4 address") for info in link["addr_info"]]
    assert facts.address in addresses


def test_core_may_administrate(facts: Facts) -> None:
    """The original demonstrator's user: logs in with a key, has bash, and sudo without a password."""
    assert facts.output("getent passwd core").split(":")[-1] == "/bin/bash"
    assert facts.output("getent shadow core").split(":")[1][:1] in "!*"
    assert facts.output("runuser -u core -- sudo --non-interactive id --user --name") == "root"
    assert facts.stat("/etc/sudoers.d/cluster") == {"/etc/sudoers.d/cluster": File("root", "0440")}


def test_ssh_takes_keys_only(facts: Facts) -> None:
    """A password can be guessed; a key cannot."""
    settings = dict(line.split(" ", 1) for line in facts.output("sshd -T").splitlines())
    assert (settings["passwordauthentication"], settings["kbdinteractiveauthentication"]) == ("no", "no")


def test_nothing_has_failed(facts: Facts) -> None:
    """A failed unit of any owner means that the host is not as it should be."""
    assert facts.output("systemctl list-units --failed --plain --no-legend") == ""
