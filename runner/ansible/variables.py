"""Roles and variables of one run as a person gives them; a variable is KEY=VALUE, a mapping, or a file for Ansible."""

import re
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import yaml

from runner import names
from runner.declaration import Endpoints
from runner.state import CHECKOUT, VAGRANT_INVENTORY

SITE = CHECKOUT / "playbooks" / "site.yml"
# In certificates and kubeconfigs, which the next run would replace.
LASTING = {f"cluster_{name}" for name in ("controller_address", *Endpoints.model_fields)}


def check_roles(given: Sequence[str]) -> None:
    """Raise a ValueError for a tag that no role of playbooks/site.yml has."""
    names.check("there is no role", given, [role for _, role in roles_by_group()])


def roles_by_group() -> list[tuple[str, str]]:
    """Return group and role for each role of playbooks/site.yml, in their order; each role has its name as its tag."""
    plays = yaml.safe_load(SITE.read_text("utf-8"))
    return [(play["hosts"], role["role"]) for play in plays for role in play.get("roles", ())]


def check_names(given: Iterable[str], inventory: Path = VAGRANT_INVENTORY) -> None:
    """Raise a ValueError for a variable that no role, playbook, file of group_vars or inventory of one's own names."""
    known = {*_options(), *re.findall(r"\{\{ (\w+)", SITE.read_text("utf-8"))}
    for path in (CHECKOUT / "group_vars").glob("*/*.yml"):  # as text, since a value may be of a vault
        known.update(re.findall(r"^(\w+):", path.read_text("utf-8"), re.MULTILINE))
    if inventory != VAGRANT_INVENTORY:
        mentioned = set(re.findall(r"\w+", inventory.read_text("utf-8", errors="replace")))
        given = [name for name in given if name not in mentioned]
    names.check("no role reads", (name for name in given if not name.startswith("ansible_")), sorted(known))


def parse(given: Sequence[str]) -> tuple[dict[str, Any], list[Path]]:
    """Return the variables, the last of a name winning, and the files.

    A value is a string, as with Ansible, unless it is written as a list or mapping: `[8.8.8.8]`, `{a: 1}`.

    Raises:
        ValueError: one cannot be understood, is a string where its role wants a list, names a file that is absent, or
            must not differ from run to run.
    """
    values: dict[str, Any] = {}
    files = []
    for entry in given:
        if entry.startswith("@"):
            files.append(Path(entry[1:]).resolve())
            if not files[-1].is_file():
                raise ValueError(f"{entry[1:]} is no file")
        elif entry.lstrip().startswith("{"):
            values |= _load(entry)
        else:
            name, separator, value = entry.partition("=")
            if not (name and separator):
                raise ValueError(f"{entry!r} is not KEY=VALUE, {{KEY: VALUE}} or @FILE")
            values[name] = _load(value) if re.match(r"\s*[\[{]", value) else value
    types = _options()
    for name in (name for name, value in values.items() if isinstance(value, str) and types.get(name) == "list"):
        raise ValueError(f"{name} is a list: write '{name}=[{values[name]}]'")
    for name in sorted(LASTING & {*values, *chain.from_iterable(map(_names, files))}):
        raise ValueError(f"{name} is in certificates: set it in group_vars/cluster/local.yml, or in your own inventory")
    return values, files


def _load(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"{text!r} is neither YAML nor JSON: {error}") from None


def _names(file: Path) -> list[str]:
    """Return the variables that a file sets; those of an encrypted one only Ansible can read."""
    try:
        root = yaml.compose(file.read_text("utf-8"), yaml.SafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError):  # Ansible tells what is wrong with it
        return []
    return [key.value for key, _ in root.value] if isinstance(root, yaml.MappingNode) else []


@cache
def _options() -> dict[str, str]:
    """Return the type of each of the roles' variables."""
    specs = [yaml.safe_load(path.read_text("utf-8")) for path in (CHECKOUT / "roles").glob("*/meta/argument_specs.yml")]
    options = (entry["options"].items() for spec in specs for entry in spec["argument_specs"].values())
    return {name: option["type"] for role in options for name, option in role}
