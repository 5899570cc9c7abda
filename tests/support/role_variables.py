"""Another value, as valid, for every variable of the roles that a user may set: nothing may depend on the defaults."""

import re
from typing import Any

import yaml

from runner.state import CHECKOUT

# Shared variables with other values than group_vars/cluster/defaults.yml gives them.
SHARED = {
    "cluster_bin_dir": "/changed/opt/cluster/bin",
    "cluster_api_url": "https://{{ cluster_controller_address }}:16443",
    "cluster_etcd_url": "https://{{ cluster_controller_address }}:12379",
    "cluster_registry": "{{ cluster_controller_address }}:15000",
    "cluster_flannel_prefix": "/changed/network",
    "cluster_admin_kubeconfig": "/changed/admin.kubeconfig",
    "cluster_domain": "changed.example",
    "cluster_tls_min_version": "VersionTLS13",
}
# Another value where no rule gives one.
OWN = {
    "host_kernel_modules": ["br_netfilter", "overlay", "vxlan", "ip_tables"],
    "host_packages": ["ca-certificates", "conntrack", "curl", "ethtool", "iptables", "kmod", "procps", "socat", "sudo"],
    "host_sysctls": {
        "net.ipv4.ip_forward": 1,
        "net.bridge.bridge-nf-call-iptables": 1,
        "net.ipv4.conf.all.rp_filter": 0,
        "net.ipv4.tcp_keepalive_time": 600,
    },
    "inaetics_app_dashboard_hosts": ["dashboard.example"],
    "inaetics_app_dashboard_password": "of the dashboard",
    "kube_master_dns_upstreams": ["192.0.2.53"],
    "kube_node_pause_image": "{{ cluster_registry }}/pause@{{ cluster_images['pause:2'] }}",
}


# Values that only those shared variables have by default.
SHARED_DEFAULTS = (
    "/opt/cluster/bin",
    "6443",
    "2379",
    "5000",
    "/coreos.com/network",
    "cluster.local",
    "TLS12",
    "TLS1.2",
    "tls1.2",
)
ROLES = sorted(path.parent.name for path in (CHECKOUT / "roles").glob("*/defaults"))


def options(role: str) -> dict[str, dict[str, Any]]:
    """Return the options of a role's specification that have a default, without the shared ones."""
    spec = yaml.safe_load((CHECKOUT / "roles" / role / "meta" / "argument_specs.yml").read_text("utf-8"))
    declared: dict[str, dict[str, Any]] = spec["argument_specs"]["main"]["options"]
    return {name: option for name, option in declared.items() if not name.startswith("cluster_")}


def changed(role: str) -> dict[str, Any]:
    """Return another value, as valid, for every default of a role."""
    return {name: OWN[name] if name in OWN else _other(name, option) for name, option in options(role).items()}


def _other(name: str, option: dict[str, Any]) -> Any:
    kind, default = option["type"], option["default"]
    if choices := option.get("choices"):
        return default[:1] if kind == "list" else next(one for one in reversed(choices) if one != default)
    if kind == "path":
        return f"/changed{default}"
    if kind == "bool":
        return False  # all are true for hosts that the Vagrantfile makes
    if kind == "int":
        return default + 1
    if str(default).startswith("http://"):
        return f"{default}9"
    if duration := re.fullmatch("([0-9]+)([sm])", str(default)):
        return f"{2 * int(duration[1])}{duration[2]}"
    raise AssertionError(f"{name}: no rule gives another value, and OWN has none")


def _former() -> re.Pattern[str]:
    """Return a pattern of the defaults that can be told from other text."""
    defaults = [(option["type"], option["default"]) for role in ROLES for option in options(role).values()]
    found = [str(default) for kind, default in defaults if kind == "path" or (kind == "int" and default > 999)]
    return re.compile(
        "|".join(rf"(?<!changed)(?<![0-9.]){re.escape(one)}(?![0-9])" for one in (*found, *SHARED_DEFAULTS))
    )


# Matches what may be nowhere once all variables are changed.
FORMER = _former()
