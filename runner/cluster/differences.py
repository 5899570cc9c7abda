"""Differences between what is declared and what there is, each with what helps."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from runner.cluster.api import Node, Pod
from runner.declaration import Cluster, Declaration, pki
from runner.errors import RunnerError
from runner.machines import SshTarget, existing
from runner.prepare import ReleaseManifest
from runner.process import CommandError, JobRunner
from runner.state import State

SITE = "`python -m runner site`"
# What start_services starts in the roles of each group.
UNITS = {
    "control_plane": (
        *("flanneld", "kube-proxy", "etcd", "docker-registry"),
        *("kube-apiserver", "kube-controller-manager", "kube-scheduler", "inaetics"),
    ),
    "workers": ("flanneld", "kube-proxy", "containerd", "kubelet"),
}
LOGIN_SECONDS = 10.0


@dataclass(frozen=True)
class Difference:
    """A difference in a few words, and what to do about it."""

    seen: str
    remedy: str


def of_declaration(cluster: Cluster, inventory: Path, state: State) -> Iterator[Difference]:
    """Tell why `site` would be refused."""
    try:
        existing.check_change(cluster, inventory, state)
    except RunnerError as error:
        yield Difference(error.message, error.remedy)


def of_hosts(cluster: Cluster, states: Mapping[str, str]) -> Iterator[Difference]:
    """Tell which declared hosts do not run; no state is known of a person's own machines."""
    for host in cluster.hosts:
        if (state := states.get(host.name, "running")) != "running":
            yield Difference(f"{host.name} is {state.replace('_', ' ')}", f"{SITE} brings it up")


def of_units(cluster: Declaration, targets: Mapping[str, SshTarget]) -> Iterator[Difference]:
    """Tell which services of the hosts that run are stopped."""
    jobs = JobRunner()

    def look(host: str, units: Sequence[str], target: SshTarget) -> list[Difference]:
        try:
            # It fails if one of them is not active.
            output = jobs.run(target.command(f"systemctl is-active {' '.join(units)} || true"), timeout=LOGIN_SECONDS)
        except CommandError:
            return [Difference(f"{host} does not answer by ssh", f"`vagrant reload {host}` restarts it")]
        states = dict(zip(units, output.split(), strict=False))
        return [
            Difference(
                f"{unit} of {host} is {state}", f"{SITE}, or `python -m runner ssh {host} -- systemctl status {unit}`"
            )
            for unit, state in states.items()
            if state != "active"
        ]

    asked = [
        partial(look, one.name, UNITS[one.group], targets[one.name]) for one in cluster.hosts if one.name in targets
    ]
    for found in jobs.run_parallel(asked, len(asked)):
        yield from found


def of_nodes(cluster: Cluster, nodes: Sequence[Node]) -> Iterator[Difference]:
    """Tell which nodes lack, are too many, or are not ready."""
    declared = {str(host.address): host.name for host in cluster.hosts if host.group == "workers"}
    registered = {node.name for node in nodes}
    for address, name in declared.items():
        if address not in registered:
            yield Difference(f"node {address} ({name}) is not registered", f"{SITE} has it register")
    for node in nodes:
        if node.name not in declared:
            remedy = f"`python -m runner kubectl -- delete node {node.name}`, once its host is gone"
            yield Difference(f"node {node.name} is not declared", remedy)
        elif not node.ready:
            remedy = f"{SITE}, or `python -m runner ssh {declared[node.name]} -- journalctl -u kubelet`"
            yield Difference(f"node {node.name} is not ready: {node.problem}", remedy)


def of_images(pods: Sequence[Pod], release: ReleaseManifest | None) -> Iterator[Difference]:
    """Tell which pods run another image than the release has by that name."""
    digests = release.images if release else {}
    for pod in pods:
        for image in pod.images:
            name, _, digest = image.partition("@")
            wanted = next((one for known, one in digests.items() if name.endswith(f"/{known}")), digest)
            if digest != wanted:
                remedy = f"{SITE}, then `python -m runner kubectl -- delete pod -n {pod.namespace} {pod.name}`"
                yield Difference(f"pod {pod.name} runs {name} that is not the release's", remedy)


def of_certificates(certificates: Sequence[pki.CertificateExpiry]) -> Iterator[Difference]:
    """Tell which certificates are not valid, or not for long."""
    for one in certificates:
        if one.problem:
            yield Difference(f"certificate {one.name} {one.problem}", f"{SITE} issues another one")
