"""The services of the cluster: where each runs, as whom, and what systemd keeps from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

STATE = ("ActiveState", "SubState", "UnitFileState", "Restart", "User", "MainPID", "InvocationID", "NRestarts")

# What costs a network service nothing ...
CONFINED = {
    "LockPersonality": "yes",
    "NoNewPrivileges": "yes",
    "PrivateTmp": "yes",
    "ProtectHome": "yes",
    "ProtectSystem": "strict",
}
# ... and what one can bear in addition that needs no right of root's.
UNPRIVILEGED = CONFINED | {
    "CapabilityBoundingSet": "",
    "PrivateDevices": "yes",
    "ProtectControlGroups": "yes",
    "ProtectKernelModules": "yes",
    "ProtectKernelTunables": "yes",
    "RestrictSUIDSGID": "yes",
}
PROPERTIES = (*STATE, *UNPRIVILEGED)


@dataclass(frozen=True)
class Service:
    """A unit that always runs. `group` is the inventory's; an empty user is root."""

    name: str
    group: str
    user: str = ""
    hardening: Mapping[str, str] = field(default_factory=dict)
    # Not to be killed where memory runs out, as Kubernetes has it.
    spared: bool = False

    @property
    def unit(self) -> str:
        """systemd's name."""
        return f"{self.name}.service"


SERVICES = (
    Service("etcd", "etcd", "etcd", UNPRIVILEGED),
    Service("docker-registry", "control_plane", "docker-registry", UNPRIVILEGED),
    Service("kube-apiserver", "control_plane", "kube-apiserver", UNPRIVILEGED),
    Service("kube-controller-manager", "control_plane", "kube-controller-manager", UNPRIVILEGED),
    Service("kube-scheduler", "control_plane", "kube-scheduler", UNPRIVILEGED),
    Service("flanneld", "cluster", "", CONFINED | {"CapabilityBoundingSet": "cap_net_admin cap_net_raw"}),
    Service("kube-proxy", "cluster", "", CONFINED, spared=True),
    # These two start containers: whatever is kept from them is kept from every pod.
    Service("containerd", "workers", spared=True),
    Service("kubelet", "workers", spared=True),
)
