"""Checks of the machine: what it has, and how much of it is free."""

from runner.declaration.model import Declaration
from runner.doctor.findings import Finding, Snapshot

DOCKER = "Docker"
MODULES = "kernel modules"
INOTIFY = "inotify limits"
VAGRANT = "Vagrant"

# Vagrant publishes a host's ssh on the first free one (config.vm.usable_port_range in the Vagrantfile).
SSH_PORTS = range(2200, 2300)
# As measured, in MiB: the controller with everything on it, and a node with its pods.
CONTROLLER_MEMORY, NODE_MEMORY = 700, 250
CPUS = 2
# In GiB: sources, build results and images; what hosts write, and pods' images.
COLD_CACHE, WARM_CACHE, HOST_DISK = 15.0, 2.0, 0.5
# A host's systemd, containerd and kubelet open some dozens; the limit is the whole machine's.
INSTANCES_PER_HOST, INSTANCES_OF_OTHERS, WATCHES = 64, 128, 65536
CGROUP_CONTROLLERS = frozenset({"cpu", "cpuset", "memory", "pids"})


def docker_answers(seen: Snapshot, _: Declaration) -> Finding:
    """Docker builds the images, and runs the hosts unless they are virtual machines."""
    if not isinstance(seen.docker, str):
        return Finding(DOCKER, "ok", f"{seen.docker.version}, cgroup v{seen.docker.cgroup_version}")
    if "Permission denied" in seen.docker:
        remedy = "`sudo usermod -aG docker $USER`, then log in again (`make site` does both)."
        return Finding(DOCKER, "failure", seen.docker, remedy)
    return Finding(DOCKER, "failure", seen.docker, "`runner/bootstrap.sh` installs and starts it.", mendable=True)


def ports_free(seen: Snapshot, declared: Declaration) -> Finding:
    """Each host's ssh is published on a port of the loopback address."""
    free = len(set(SSH_PORTS) - seen.listening)
    wanted = len(declared.hosts) - len(seen.own_running)
    said = f"{free} of {SSH_PORTS.start}-{SSH_PORTS.stop - 1} are free"
    if free >= wanted:
        return Finding("ports", "ok", said)
    return Finding("ports", "failure", f"{said}, {wanted} are needed", "End what listens there: `ss -ltnp`.")


def memory(seen: Snapshot, declared: Declaration) -> Finding:
    """Containers take what they use, virtual machines what is declared."""
    running = {container.host for container in seen.own_running}
    missing = [host for host in declared.hosts if host.name not in running]
    if declared.provider == "docker":
        needed = sum(CONTROLLER_MEMORY if host.group == "controller" else NODE_MEMORY for host in missing)
    else:
        needed = sum(host.memory for host in missing)
    said = f"{seen.memory_mib} MiB available, {needed} MiB needed for {len(missing)} more hosts"
    if seen.memory_mib >= needed:
        return Finding("memory", "ok", said)
    return Finding("memory", "failure", said, "Close programs, or lower nodes.count in inventory/cluster.yml.")


def cpus(seen: Snapshot, _: Declaration) -> Finding:
    """One CPU raises a cluster too, in its own time."""
    if seen.cpus >= CPUS:
        return Finding("CPUs", "ok", str(seen.cpus))
    return Finding("CPUs", "warning", f"{seen.cpus}; it will take longer", f"Give this machine {CPUS} or more.")


def disk(seen: Snapshot, declared: Declaration) -> Finding:
    """Room for downloads, builds and images, and for what hosts write."""
    needed = {seen.cache: WARM_CACHE if seen.prepared else COLD_CACHE}
    if not isinstance(seen.docker, str):
        needed[seen.docker.root] = len(declared.hosts) * HOST_DISK
    said = []
    lacking = []
    for place, free in seen.disk_gib.items():
        said.append(f"{place} has {free:.0f} GiB free")
        if free < needed.get(place, 0):
            lacking.append(f"{place} has {free:.1f} GiB free, {needed[place]:.1f} are needed")
    if lacking:
        remedy = "Make room (`docker system df` shows Docker's part), or set XDG_CACHE_HOME to a larger disk."
        return Finding("disk", "failure", "; ".join(lacking), remedy)
    return Finding("disk", "ok", ", ".join(said))


def inotify(seen: Snapshot, declared: Declaration) -> Finding:
    """Kubelets die with "too many open files" when six hosts and their neighbours used the limit up."""
    needed = inotify_needed(declared)
    said = ", ".join(f"{name} {value}" for name, value in seen.inotify.items())
    lacking = {name: value for name, value in needed.items() if seen.inotify[name] < value}
    if not lacking:
        return Finding(INOTIFY, "ok", said)
    remedy = "; ".join(f"`sysctl fs.inotify.{name}={value}`" for name, value in lacking.items())
    return Finding(INOTIFY, "failure", f"{said}; too low for {len(declared.hosts)} hosts", remedy, mendable=True)


def inotify_needed(declared: Declaration) -> dict[str, int]:
    """The limits that the declared hosts and what else runs on a workstation need."""
    instances = INSTANCES_OF_OTHERS + INSTANCES_PER_HOST * len(declared.hosts)
    return {"max_user_instances": instances, "max_user_watches": WATCHES}


def cgroups(seen: Snapshot, declared: Declaration) -> Finding:
    """Kubelet limits pods by these; some small machines boot without the memory one."""
    lacking = sorted(CGROUP_CONTROLLERS - seen.cgroup_controllers)
    if declared.provider == "docker" and lacking:
        remedy = "Enable them on the kernel's command line (cgroup_enable=memory) and restart."
        return Finding("cgroups", "failure", f"the kernel lacks {', '.join(lacking)}", remedy)
    return Finding("cgroups", "ok", f"{', '.join(sorted(CGROUP_CONTROLLERS))} are there")


def modules(seen: Snapshot, declared: Declaration) -> Finding:
    """Hosts that are containers cannot load what this machine's kernel has as modules."""
    lacking = modules_missing(seen)
    if declared.provider == "docker" and lacking:
        remedy = f"`modprobe -a {' '.join(lacking)}`"
        return Finding(MODULES, "failure", f"{', '.join(lacking)} not loaded", remedy, mendable=True)
    return Finding(MODULES, "ok", "br_netfilter, overlay, vxlan are there")


def modules_missing(seen: Snapshot) -> list[str]:
    """The kernel modules that hosts need and that are neither loaded nor built in."""
    there = {"br_netfilter": seen.bridge_filter, "overlay": seen.overlay, "vxlan": seen.vxlan}
    return [name for name, loaded in there.items() if not loaded]


def vagrant(seen: Snapshot, declared: Declaration) -> Finding:
    """Vagrant, and the provider's own program or plug-in."""
    if seen.vagrant is None:
        return Finding(VAGRANT, "failure", "is not installed", "`runner/bootstrap.sh` installs it.", mendable=True)
    if declared.provider == "libvirt" and "vagrant-libvirt" not in seen.vagrant_plugins:
        return Finding(VAGRANT, "failure", "its plug-in for libvirt is missing", "`apt install vagrant-libvirt`")
    if declared.provider == "virtualbox" and seen.virtualbox is None:
        return Finding(VAGRANT, "failure", "VirtualBox is missing", "Install VirtualBox, or use provider docker.")
    return Finding(VAGRANT, "ok", f"{seen.vagrant} with {declared.provider}")
