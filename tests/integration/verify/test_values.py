"""`verify` expects of a host what the roles were told, not what their defaults say."""

import json
from pathlib import Path

import yaml

from runner.state import CHECKOUT
from tests.hosts.values import read


def test_values_are_those_of_inventory_group_vars_and_defaults(tmp_path: Path) -> None:
    example = yaml.safe_load((CHECKOUT / "inventory" / "static.example.yml").read_text("utf-8"))
    (tmp_path / "manifest.json").write_text(json.dumps({"binaries": {}, "images": {"pause:1": "00ff"}}), "utf-8")
    given = {"cluster_release_dir": str(tmp_path), "flannel_vxlan_vni": 7, "inaetics_app_dashboard_password": "x"}
    example["cluster"]["vars"] |= given
    example["cluster"]["children"]["workers"]["hosts"]["beta"]["kube_node_pod_pids_limit"] = 99
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(yaml.safe_dump(example), "utf-8")

    values = read(inventory)

    assert values.keys() == {"alpha", "beta", "gamma"}
    assert {one["flannel_vxlan_vni"] for one in values.values()} == {7}
    assert [values[name]["kube_node_pod_pids_limit"] for name in ("beta", "gamma")] == [99, 1024]
    assert values["beta"]["kube_node_pause_image"] == "192.168.178.20:5000/pause:1"
    assert not values["beta"]["cluster_owns_hosts"]
    assert not values["beta"]["host_passwordless_sudo"]
    assert "inaetics_app_dashboard_password" not in values["alpha"]
