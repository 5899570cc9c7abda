"""Checks of the machine's programs, kernel, memory, disk and ports."""

from runner.declaration import Declaration
from runner.doctor.findings import Finding, Snapshot
from runner.vagrant_settings import SSH_PORTS

DOCKER = "Docker"
MODULES = "kernel modules"
INOTIFY = "inotify limits"
VAGRANT = "Vagrant"

# As measured, in MiB: the controller with everything on it, and a node with its pods.
CONTROLLER_MEMORY, NODE_MEMORY = 700, 250
CPUS = 2
# In GiB: sources, build results and images; what hosts write, and pods' images.
COLD_CACHE, WARM_CACHE, HOST_DISK = 15.0, 2.0, 0.5
# systemd, containerd and kubelet of one host open some dozens; the limit is the whole machine's.
INSTANCES_PER_HOST, INSTANCES_OF_OTHERS, WATCHES = 64, 128, 65536
CGROUP_CONTROLLERS = frozenset({"cpu", "cpuset", "memory", "pids"})
KERNEL_MODULES = ("br_netfilter", "overlay", "vxlan")


def docker_answers(observed: Snapshot, _: Declaration) -> Finding:
    """Check Docker, which builds the images and runs the hosts unless they are virtual machines."""
    if not isinstance(observed.docker, str):
        return Finding(DOCKER, "ok", f"{observed.docker.version}, cgroup v{observed.docker.cgroup_version}")
    if "Permission denied" in observed.docker:
        remedy = "`sudo usermod -aG docker $USER`, then log in again (`make site` does both)."
        return Finding(DOCKER, "failure", observed.docker, remedy)
    return Finding(DOCKER, "failure", observed.docker, "`runner/bootstrap.sh` installs and starts it.", fixable=True)


def ports_free(observed: Snapshot, declared: Declaration) -> Finding:
    """Check that each host's ssh finds a free port on the loopback address."""
    free = len(set(SSH_PORTS) - observed.listening)
    wanted = len(declared.hosts) - len(observed.own_running)
    text = f"{free} of {SSH_PORTS.start}-{SSH_PORTS.stop - 1} are free"
    if free >= wanted:
        return Finding("ports", "ok", text)
    remedy = "Stop the programs that listen there; `ss -ltnp` lists them."
    return Finding("ports", "failure", f"{text}, {wanted} are needed", remedy)


def memory(observed: Snapshot, declared: Declaration) -> Finding:
    """Check the memory: containers take what they use, virtual machines what is declared."""
    running = {container.host for container in observed.own_running}
    missing = [host for host in declared.hosts if host.name not in running]
    if declared.provider == "docker":
        needed = sum(CONTROLLER_MEMORY if host.group == "controller" else NODE_MEMORY for host in missing)
    else:
        needed = sum(host.memory for host in missing)
    text = f"{observed.memory_mib} MiB available, {needed} MiB needed for {len(missing)} more hosts"
    if observed.memory_mib >= needed:
        return Finding("memory", "ok", text)
    return Finding("memory", "failure", text, "Close programs, or lower nodes.count in inventory/cluster.yml.")


def cpus(observed: Snapshot, _: Declaration) -> Finding:
    """Check the CPUs; one is enough, but slow."""
    if observed.cpus >= CPUS:
        return Finding("CPUs", "ok", str(observed.cpus))
    return Finding("CPUs", "warning", f"{observed.cpus}; it will take longer", f"Give this machine {CPUS} or more.")


def disk(observed: Snapshot, declared: Declaration) -> Finding:
    """Check the disks: downloads, builds and images need room, and so do the hosts."""
    needed = {observed.cache: WARM_CACHE if observed.prepared else COLD_CACHE}
    if not isinstance(observed.docker, str):
        needed[observed.docker.root] = len(declared.hosts) * HOST_DISK
    lacking = [
        f"{place} has {free:.1f} GiB free, {needed[place]:.1f} are needed"
        for place, free in observed.disk_gib.items()
        if free < needed.get(place, 0)
    ]
    if lacking:
        remedy = "Make room (`docker system df` shows Docker's part), or set XDG_CACHE_HOME to a larger disk."
        return Finding("disk", "failure", "; ".join(lacking), remedy)
    return Finding(
        "disk", "ok", ", ".join(f"{place} has {free:.0f} GiB free" for place, free in observed.disk_gib.items())
    )


def inotify(observed: Snapshot, declared: Declaration) -> Finding:
    """Check the inotify limits; kubelets fail with "too many open files" when they are used up."""
    needed = inotify_needed(declared)
    text = ", ".join(f"{name} {value}" for name, value in observed.inotify.items())
    lacking = {name: value for name, value in needed.items() if observed.inotify[name] < value}
    if not lacking:
        return Finding(INOTIFY, "ok", text)
    remedy = "; ".join(f"`sysctl fs.inotify.{name}={value}`" for name, value in lacking.items())
    return Finding(INOTIFY, "failure", f"{text}; too low for {len(declared.hosts)} hosts", remedy, fixable=True)


def inotify_needed(declared: Declaration) -> dict[str, int]:
    """Return the limits that the declared hosts and the other programs of a workstation need."""
    instances = INSTANCES_OF_OTHERS + INSTANCES_PER_HOST * len(declared.hosts)
    return {"max_user_instances": instances, "max_user_watches": WATCHES}


def cgroups(observed: Snapshot, declared: Declaration) -> Finding:
    """Check the cgroup controllers that kubelet needs; some small machines boot without the memory one."""
    lacking = sorted(CGROUP_CONTROLLERS - observed.cgroup_controllers)
    if declared.provider == "docker" and lacking:
        remedy = "Enable them on the kernel's command line (cgroup_enable=memory) and restart."
        return Finding("cgroups", "failure", f"the kernel lacks {', '.join(lacking)}", remedy)
    return Finding("cgroups", "ok", f"{', '.join(sorted(CGROUP_CONTROLLERS))} are available")


def modules(observed: Snapshot, declared: Declaration) -> Finding:
    """Check the kernel modules; hosts that are containers cannot load them."""
    lacking = missing_modules(observed)
    if declared.provider == "docker" and lacking:
        remedy = f"`modprobe -a {' '.join(lacking)}`"
        return Finding(MODULES, "failure", f"{', '.join(lacking)} not loaded", remedy, fixable=True)
    return Finding(MODULES, "ok", f"{', '.join(KERNEL_MODULES)} are available")


def missing_modules(observed: Snapshot) -> list[str]:
    """Return the kernel modules that hosts need and that are neither loaded nor built in."""
    loaded = (observed.bridge_filter, observed.overlay, observed.vxlan)
    return [name for name, is_loaded in zip(KERNEL_MODULES, loaded, strict=True) if not is_loaded]


def vagrant(observed: Snapshot, declared: Declaration) -> Finding:
    """Check Vagrant, and the provider's own program or plug-in."""
    if observed.vagrant is None:
        return Finding(VAGRANT, "failure", "is not installed", "`runner/bootstrap.sh` installs it.", fixable=True)
    if declared.provider == "libvirt" and "vagrant-libvirt" not in observed.vagrant_plugins:
        return Finding(VAGRANT, "failure", "its plug-in for libvirt is missing", "`apt install vagrant-libvirt`")
    if declared.provider == "virtualbox" and observed.virtualbox is None:
        return Finding(VAGRANT, "failure", "VirtualBox is missing", "Install VirtualBox, or use provider docker.")
    return Finding(VAGRANT, "ok", f"{observed.vagrant} with {declared.provider}")
