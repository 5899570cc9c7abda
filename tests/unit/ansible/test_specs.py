"""A role's argument specs agree with its defaults; names and sizes follow the project's rules."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from runner.state import CHECKOUT
from tests.support.role_specs import COMMON, SPEC, specification
from tests.support.role_variables import changed

# common is no role to run: it holds the tasks that the others share.
ROLES = sorted(path for path in (CHECKOUT / "roles").iterdir() if path.is_dir() and path.name != "common")
TYPES: dict[str, type | tuple[type, ...]] = {
    "str": (str, int),
    "path": str,
    "int": int,
    "bool": bool,
    "list": list,
    "dict": dict,
}
LONGEST_TASK_FILE = 120  # lines

each_role = pytest.mark.parametrize("role", ROLES, ids=lambda path: str(path.name))


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))


@each_role
def test_specs_name_every_default_and_nothing_else(role: Path) -> None:
    options = read(role / "meta" / "argument_specs.yml")["argument_specs"]["main"]["options"]
    defaults = read(role / "defaults" / "main.yml") or {}
    own = {name: option for name, option in options.items() if not name.startswith("cluster_")}
    assert {name: option.get("default") for name, option in own.items()} == defaults
    for name, option in own.items():
        assert option["description"].endswith("."), name
        templated = isinstance(defaults[name], str) and "{{" in defaults[name]
        assert templated or isinstance(defaults[name], TYPES[option["type"]]), name


@each_role
def test_the_value_that_tests_change_a_default_to_is_another_one(role: Path) -> None:
    defaults = read(role / "defaults" / "main.yml")
    assert {name for name, value in changed(role.name).items() if value != defaults[name]} == defaults.keys()


@each_role
def test_a_task_file_reads_no_result_of_another(role: Path) -> None:
    """`tasks_from` runs a part of a role by itself."""
    texts = {path.name: path.read_text("utf-8") for path in (role / "tasks").glob("*.yml")}
    for own, text in texts.items():
        for result in re.findall(r"register: (\w+)", text):
            assert [name for name, other in texts.items() if name != own and result in other] == []


@each_role
def test_a_variable_carries_its_roles_name(role: Path) -> None:
    prefix = role.name.replace("-", "_") + "_"
    assert [name for name in read(role / "defaults" / "main.yml") or {} if not name.startswith(prefix)] == []
    internal = role / "vars" / "main.yml"
    names = read(internal) if internal.exists() else {}
    assert [name for name in names if not name.startswith(f"__{prefix}")] == []


@each_role
def test_above_each_default_stands_what_it_changes(role: Path) -> None:
    text = (role / "defaults" / "main.yml").read_text("utf-8")
    blocks = [block for block in text.removeprefix("---\n").split("\n\n") if block.strip()]
    assert [block for block in blocks if not block.startswith("# ")] == []


@each_role
def test_a_task_file_is_read_at_a_glance(role: Path) -> None:
    lengths = {path.name: len(path.read_text("utf-8").splitlines()) for path in (role / "tasks").glob("*.yml")}
    assert {name: length for name, length in lengths.items() if length > LONGEST_TASK_FILE} == {}


def test_every_shared_variable_that_a_role_reads_is_declared() -> None:
    """A role on another inventory must say what it lacks before it changes anything."""
    texts = [path.read_text("utf-8") for path in (CHECKOUT / "roles").rglob("*") if path.suffix in (".yml", ".j2")]
    read_there = {name for text in texts for name in re.findall(r"\bcluster_[a-z_]+", text)}
    declared = read(COMMON / SPEC)["argument_specs"]["shared"]["options"]
    assert read_there == declared.keys()
    assert all(option["required"] and option["description"].endswith(".") for option in declared.values())


def test_every_shared_variable_has_a_value_that_an_inventory_may_change() -> None:
    values = read(CHECKOUT / "group_vars" / "cluster" / "defaults.yml")
    declared = read(COMMON / SPEC)["argument_specs"]["shared"]["options"]
    assert values.keys() - {"ansible_python_interpreter"} == declared.keys()


@each_role
def test_a_role_declares_every_shared_variable_that_it_reads(role: Path) -> None:
    assert (role / SPEC).read_text("utf-8") == specification(role)
    assert [name for name in read(role / SPEC)["argument_specs"]["main"]["options"] if name.startswith("cluster_")]


def test_every_play_says_that_it_needs_root() -> None:
    """ansible.cfg, which says it for a whole machine, may be another one."""
    assert all(play["become"] for play in read(CHECKOUT / "playbooks" / "site.yml"))


def test_every_role_runs_in_the_site_and_by_its_own_tag() -> None:
    plays = read(CHECKOUT / "playbooks" / "site.yml")
    named = {entry["role"]: entry["tags"] for play in plays for entry in play["roles"]}
    assert named == {role.name: [role.name] for role in ROLES}
