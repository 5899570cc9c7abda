"""Machines of somebody's own: Debian hosts that no Vagrantfile knows, with an ordinary user who may use sudo."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from runner.machines.ssh import SshTarget, wait_for_ssh
from runner.prepare.artifacts import Work
from runner.prepare.builds import root_filesystem
from runner.prepare.cache import Cache
from runner.prepare.catalogue import load
from runner.prepare.images import ImageInputs, build, docker_client
from runner.process import JobRunner
from runner.state import CHECKOUT, cache_directory

USER = "ada"
IMAGE = f"own-machine-of-{USER}"
# As ordinary a user as there is: not the image's own, and without bash.
DOCKERFILE = f"""
RUN useradd --create-home --shell /bin/sh {USER} \\
 && echo '{USER} ALL=(ALL:ALL) NOPASSWD: ALL' >/etc/sudoers.d/{USER} \\
 && echo AllowUsers {USER} >/etc/ssh/sshd_config.d/20-{USER}.conf \\
 && install --directory --owner={USER} --mode=0700 /home/{USER}/.ssh
COPY --chown={USER} key.pub /home/{USER}/.ssh/authorized_keys
"""
# What a container needs to be a host: see the Vagrantfile.
ARGUMENTS = (
    *("--cap-add=ALL", "--cap-drop=SYS_RESOURCE", "--cgroupns=private", "--device-cgroup-rule=a *:* rwm"),
    *(
        "--security-opt=seccomp=unconfined",
        "--security-opt=apparmor=unconfined",
        "--security-opt=systempaths=unconfined",
    ),
    *("--tmpfs=/run", "--tmpfs=/tmp", "--stop-signal=SIGRTMIN+3", "--env=container=docker"),
    *("--volume=/var/lib/containerd", "--volume=/var/lib/kubelet"),
)


@contextmanager
def machines(directory: Path, image: str, network: str, addresses: Mapping[str, str]) -> Iterator[dict[str, SshTarget]]:
    """Raise machines with these addresses in a network of their own; they answer by ssh, and are removed at the end."""
    key = directory / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    (directory / "Dockerfile").write_text(f"FROM {image}{DOCKERFILE}", encoding="utf-8")
    targets = {
        name: SshTarget(name, address, 22, USER, key, directory / "known_hosts", address)
        for name, address in addresses.items()
    }
    with ExitStack() as made:
        docker("build", "--quiet", f"--tag={IMAGE}", str(directory))
        made.callback(docker, "image", "rm", IMAGE)
        joined = f"vagrant_network_{network}"  # as Vagrant names it, which may have left it behind
        if subprocess.run(["docker", "network", "inspect", joined], capture_output=True, check=False).returncode:
            docker("network", "create", "--internal", f"--subnet={network}", joined)
        made.callback(docker, "network", "rm", joined)
        for name, address in addresses.items():
            docker("create", f"--name={IMAGE}-{name}", f"--hostname={name}", *ARGUMENTS, IMAGE)
            made.callback(docker, "rm", "--force", "--volumes", f"{IMAGE}-{name}")
            docker("network", "connect", f"--ip={address}", joined, f"{IMAGE}-{name}")
            docker("start", f"{IMAGE}-{name}")
        wait_for_ssh(targets.values(), seconds=120)
        yield targets


def docker(*arguments: str) -> None:
    subprocess.run(["docker", *arguments], stdout=subprocess.DEVNULL, stderr=sys.stderr, check=True)


def debian_13() -> str:
    """Return the tag of an image of Debian 13, which `prepare` would make with that suite in the catalogue."""
    catalogue = load(CHECKOUT / "artifacts" / "catalogue.yml")
    directory = CHECKOUT / "artifacts" / "images" / "host"
    work = Work(Cache(cache_directory()), lambda _: None, JobRunner())
    root = catalogue.images["host"].rootfs
    assert root
    blobs = work.provide(root_filesystem(directory, root, "trixie", work))
    inputs = ImageInputs(directory, blobs, wheels={}, demonstrator={})
    with docker_client() as client:
        build(client, inputs, catalogue.debian.python, work)
    return inputs.tag
