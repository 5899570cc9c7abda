"""Variables of a run: what a person may write, and what is refused before anything runs."""

import re
from pathlib import Path

import pytest

from runner.ansible.variables import check_names, check_roles, parse


def test_a_value_is_a_string_unless_it_is_written_as_a_list_or_mapping(tmp_path: Path) -> None:
    given = ["a=1", "b=x=y", "c=[1, two]", "d={e: 2}", '{"f": true, "a": 3}', "g=", "c=[]"]
    values, files = parse(given)
    assert values == {"a": 3, "b": "x=y", "c": [], "d": {"e": 2}, "f": True, "g": ""}
    assert files == []


def test_a_file_is_left_to_ansible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own vault.yml").write_text("$ANSIBLE_VAULT;1.1;AES256\n", "utf-8")
    assert parse(["@own vault.yml"]) == ({}, [tmp_path / "own vault.yml"])


def test_a_file_may_not_set_what_is_in_certificates(tmp_path: Path) -> None:
    (tmp_path / "harmless.yml").write_text("a: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n", "utf-8")
    (tmp_path / "ports.yml").write_text("a: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\ncluster_registry: here:1\n", "utf-8")
    assert parse([f"@{tmp_path}/harmless.yml"]) == ({}, [tmp_path / "harmless.yml"])
    with pytest.raises(
        ValueError, match=r"cluster_registry is in certificates: set it in group_vars/cluster/local.yml"
    ):
        parse([f"@{tmp_path}/harmless.yml", f"@{tmp_path}/ports.yml"])


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("kube_master_dns_upstreams=8.8.8.8", "is a list: write 'kube_master_dns_upstreams=[8.8.8.8]'"),
        ('{"inaetics_app_dashboard_hosts": "demo.example"}', "inaetics_app_dashboard_hosts is a list"),
        ("novalue", "not KEY=VALUE"),
        ("=x", "not KEY=VALUE"),
        ("{a: [", "neither YAML nor JSON"),
        ("a=[1", "neither YAML nor JSON"),
        ("@absent.yml", "absent.yml is no file"),
        ("cluster_domain=plant.example", "cluster_domain is in certificates: set it in group_vars/cluster/local.yml"),
        ('{"cluster_api_url": "https://172.17.8.20:16443"}', "cluster_api_url is in certificates"),
    ],
)
def test_what_cannot_be_meant_is_refused(given: str, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        parse([given])


def test_a_tag_is_the_name_of_a_role() -> None:
    check_roles(["etcd", "inaetics-app"])
    with pytest.raises(
        ValueError, match=re.escape("there is no role 'flanel'. Did you mean 'flannel'? There are: host,")
    ):
        check_roles(["etcd", "flanel"])


@pytest.mark.parametrize("name", ["inaetics_app_queue", "cluster_name", "nodes_at_a_time", "ansible_user"])
def test_what_a_role_group_vars_or_a_playbook_names_is_a_variable(name: str) -> None:
    check_names([name])


def test_a_variable_that_nothing_reads_is_refused(tmp_path: Path) -> None:
    reason = "no role reads 'inaetics_app_scalling'. Did you mean 'inaetics_app_scaling'?"
    with pytest.raises(ValueError, match=f"^{re.escape(reason)}$"):
        check_names(["inaetics_app_queue", "inaetics_app_scalling"])


def test_an_inventory_of_ones_own_may_have_variables_of_its_own(tmp_path: Path) -> None:
    inventory = tmp_path / "machines.yml"
    inventory.write_text("cluster: {vars: {ansible_user: '{{ admin }}'}}\n", "utf-8")
    check_names(["admin"], inventory)
    with pytest.raises(ValueError, match="no role reads 'admni'"):
        check_names(["admni"], inventory)
