"""Specifications and READMEs of the roles: `python -m tests.support.role_specs` writes it, `make lint` compares it.

Shared variables that a role reads come from the specification of role common, its README from all that it declares.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from runner.state import CHECKOUT

ROLES = CHECKOUT / "roles"
COMMON = ROLES / "common"
SPEC = Path("meta") / "argument_specs.yml"
HEADING = "      # Shared with other roles: written by `make roles` from roles/common/meta/argument_specs.yml.\n"


def specification(role: Path) -> str:
    """Return a role's argument_specs.yml with the shared variables that its files read."""
    own = (role / SPEC).read_text("utf-8").partition(HEADING)[0]
    if role == COMMON:
        return own
    if own.endswith("    options: {}\n"):
        own = own.removesuffix(" {}\n") + "\n"
    blocks = re.split("(?m)^(?=      [a-z])", (COMMON / SPEC).read_text("utf-8"))
    shared = {block.split(":", 1)[0].strip(): block for block in blocks[1:]}
    text = "".join(path.read_text("utf-8") for path in _files(role))
    read_there = re.findall(r"\bcluster_[a-z_]+", text)
    return own + HEADING + "".join(block for name, block in shared.items() if name in read_there)


def readme(role: Path, specification: str) -> str:
    """Return a role's README."""
    galaxy = yaml.safe_load((role / "meta" / "main.yml").read_text("utf-8"))["galaxy_info"]
    (spec,) = yaml.safe_load(specification)["argument_specs"].values()
    paragraphs = [f"# Role {role.name}", f"{galaxy['description']}.", f"{spec['short_description']}."]
    paragraphs += spec.get("description", [])
    header = ["| variable | type | default | description |", "|---|---|---|---|"]
    paragraphs.append("\n".join(header + [_row(name, option) for name, option in spec["options"].items()]))
    platforms = [f"{one['name']} ({', '.join(one['versions'])})" for one in galaxy["platforms"]]
    paragraphs.append(f"Runs on {', '.join(platforms)}. Made by `make roles` from `meta/`.")
    return re.sub(r"C\((.+?)\)", r"`\1`", "\n\n".join(paragraphs) + "\n")


def _files(role: Path) -> Iterator[Path]:
    """Yield a role's files, those of role common that its tasks name, and the actions that they call."""
    for path in sorted(one for one in role.rglob("*") if one.suffix in {".yml", ".j2"} and one.parent.name != "meta"):
        yield path
        text = path.read_text("utf-8")
        for name in re.findall(r"\.\./\.\./common/([\w./-]+)", text):
            yield COMMON / name
        for action in (COMMON / "action_plugins").glob("*.py"):
            if f"{action.stem}:" in text:
                yield action


def _row(name: str, option: dict[str, Any]) -> str:
    kind = f"{option['type']} of {option['elements']}" if "elements" in option else option["type"]
    default = f"`{json.dumps(option['default'])}`".replace("|", "\\|") if "default" in option else "required"
    choices = f" One of {', '.join(option['choices'])}." if "choices" in option else ""
    return f"| `{name}` | {kind} | {default} | {option['description']}{choices} |"


def main() -> int:
    """Write what differs, or with --check name it."""
    differing = []
    for role in sorted(path for path in ROLES.iterdir() if path.is_dir()):
        spec = specification(role)
        for file, text in ((role / SPEC, spec), (role / "README.md", readme(role, spec))):
            if not file.exists() or file.read_text("utf-8") != text:
                differing.append(str(file.relative_to(CHECKOUT)))
                if "--check" not in sys.argv:
                    file.write_text(text, "utf-8")
    if differing and "--check" in sys.argv:
        print(f"{', '.join(differing)}: not what the roles' files say. Run `make roles`.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
