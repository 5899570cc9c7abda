"""The README of each role, made from its meta/: `make readmes` writes them, `make lint` compares them."""

import json
import sys
from pathlib import Path
from typing import Any

import yaml

from runner.state import CHECKOUT


def readme(role: Path) -> str:
    """Return the README of a role."""

    def read(name: str) -> Any:
        return yaml.safe_load((role / "meta" / name).read_text("utf-8"))

    meta, spec = read("main.yml"), read("argument_specs.yml")["argument_specs"]["main"]
    galaxy = meta["galaxy_info"]
    paragraphs = [f"# Role {role.name}", f"{galaxy['description']}.", f"{spec['short_description']}."]
    paragraphs += spec.get("description", [])
    for name in meta["dependencies"]:
        paragraphs.append(f"Depends on [{name}](../{name}/README.md), which checks the variables that all roles share.")
    if spec["options"]:
        header = ["| variable | type | default | description |", "|---|---|---|---|"]
        paragraphs.append("\n".join(header + [_row(name, option) for name, option in spec["options"].items()]))
    platforms = [f"{one['name']} ({', '.join(one['versions'])})" for one in galaxy["platforms"]]
    paragraphs.append(f"Runs on {', '.join(platforms)}. Made by `make readmes` from `meta/`.")
    return "\n\n".join(paragraphs) + "\n"


def _row(name: str, option: dict[str, Any]) -> str:
    kind = f"{option['type']} of {option['elements']}" if "elements" in option else option["type"]
    default = "required" if option.get("required") else f"`{json.dumps(option['default'])}`".replace("|", "\\|")
    choices = f" One of {', '.join(option['choices'])}." if "choices" in option else ""
    return f"| `{name}` | {kind} | {default} | {option['description']}{choices} |"


def main() -> int:
    """Write every README, or with --check name those that differ."""
    differing = []
    for role in sorted(path for path in (CHECKOUT / "roles").iterdir() if path.is_dir()):
        file, text = role / "README.md", readme(role)
        if not file.exists() or file.read_text("utf-8") != text:
            differing.append(str(file.relative_to(CHECKOUT)))
            if "--check" not in sys.argv:
                file.write_text(text, "utf-8")
    if differing and "--check" in sys.argv:
        print(f"{', '.join(differing)}: not what meta/ says. Run `make readmes`.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
