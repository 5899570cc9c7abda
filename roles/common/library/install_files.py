#!/usr/bin/python
"""Bring files, directories and links of a host to what is given, all in one call (see the action of this name)."""

import base64
import errno
import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.expectations import note

DOCUMENTATION = """
module: install_files
short_description: Install all files of a role in one round trip
description:
  - It stands for loops of M(ansible.builtin.template), M(ansible.builtin.copy) and M(ansible.builtin.file), which take
    a round trip per item.
  - Supports check mode and diffs. A file is replaced as a whole, and has its owner and rights from its first moment.
options:
  programs:
    description: Names of the release's programs. Hosts that see the workstation's releases need no copy of them.
    type: list
    elements: str
    default: []
  files:
    description: What the host is to have, in this order.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Where it is on the host.
        type: path
        required: true
      template:
        description: Template of the role that makes the file's content.
        type: str
      vars:
        description: Variables for the template.
        type: dict
      pki:
        description: Certificate or key, below C(cluster_pki_dir). A key is for its owner alone, and in no diff.
        type: str
      link:
        description: What a symbolic link points at. It may be missing.
        type: str
      state:
        description: Kind of what has no content of its own.
        choices: [directory, absent]
        type: str
      owner:
        description: User and group that it belongs to.
        type: str
        default: root
      mode:
        description: Its rights, for files V("0644") and for directories V("0755") if nothing is said.
        type: str
      private:
        description: True if its content may not be shown in a diff.
        type: bool
        default: false
      validate:
        description: Command that checks a new file before it comes to its place, with C(%s) for its name.
        type: str
      when:
        description: False if the host needs no such file.
        type: bool
        default: true
  looks:
    description:
      - Shell commands that change nothing, and whose output tells what else the role brings about, by a name for that.
        By them, the files and the services C(cluster-look) of role host finds whether the role has to run again.
    type: dict
    default: {}
author: [inaetics-demo-cluster]
"""

EXAMPLES = """
- name: Install files
  install_files:
    programs: [etcd, etcdctl]
    files:
      - { path: /etc/etcd, state: directory }
      - { path: /etc/etcd/server.key, pki: certs/etcd.key, owner: etcd }
      - { path: /etc/etcd/etcd.yml, template: etcd.yml.j2 }
"""

RETURN = """
paths:
  description: What changed.
  type: list
  elements: str
  returned: always
wanted:
  description: Paths of programs that differ from the workstation's, which the action sends next.
  type: list
  elements: str
  returned: always
"""

# What the action makes of an entry. A program comes as its checksum, and, if that differed, in a second call as
# `source`, a copy on the host. What is `no_log` gets into neither the result nor the host's journal.
ENTRY = {
    "path": {"type": "path", "required": True},
    "kind": {"type": "str", "required": True, "choices": ["file", "directory", "link", "absent"]},
    "content": {"type": "str", "no_log": True},  # base64
    "sha256": {"type": "str"},
    "source": {"type": "path"},
    "link": {"type": "str"},
    "owner": {"type": "str", "required": True},
    "mode": {"type": "str"},
    "validate": {"type": "str"},
    "private": {"type": "bool", "default": False},
}
# What an entry may replace; all else is somebody's, and stays.
REPLACED = {"file": {"file", "link"}, "link": {"link"}, "directory": set(), "absent": {"file", "link", "directory"}}


class Host:
    """The host's files, and what has changed."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.paths: list[str] = []
        self.diffs: list[dict[str, str]] = []
        self.wanted: list[str] = []

    def differs(self, entry: dict[str, Any]) -> bool:
        """Tell whether a program is another one than the workstation's."""
        path = entry["path"]
        return kind(Path(path)) != "file" or self.module.sha256(path) != entry["sha256"]

    def install(self, entry: dict[str, Any]) -> None:
        """Bring one path to its state."""
        path, wanted = Path(entry["path"]), entry["kind"]
        is_there = wanted == "directory" and path.is_dir()  # or a link to one
        if not is_there and kind(path) not in REPLACED[wanted] | {"absent"}:
            raise FileExistsError(errno.EEXIST, f"a {kind(path)} is in the place of a {wanted}")
        bring = {"file": self.file, "directory": self.directory, "link": self.link, "absent": self.absent}
        changed = not is_there and bring[wanted](path, entry)
        if (wanted == "file" and kind(path) == "file") or (wanted == "directory" and path.is_dir()):
            changed = self.set_rights(path, entry) or changed
        if changed:
            self.paths.append(str(path))

    def absent(self, path: Path, _: dict[str, Any]) -> bool:
        """Remove a path."""
        found = kind(path)
        if found == "directory" and not self.module.check_mode:
            shutil.rmtree(path)
        elif found != "absent" and not self.module.check_mode:
            path.unlink()
        return found != "absent"

    def directory(self, path: Path, _: dict[str, Any]) -> bool:
        """Make a directory, and those above it."""
        if not self.module.check_mode:
            path.mkdir(parents=True)
        return True

    def link(self, path: Path, entry: dict[str, Any]) -> bool:
        """Make a symbolic link, or point it elsewhere."""
        if path.is_symlink() and str(path.readlink()) == entry["link"]:
            return False
        if not self.module.check_mode:
            temporary = path.with_name(f".cluster-{path.name}")
            temporary.unlink(missing_ok=True)
            temporary.symlink_to(entry["link"])
            temporary.rename(path)
        return True

    def file(self, path: Path, entry: dict[str, Any]) -> bool:
        """Write a file, unless it has this content."""
        is_file = kind(path) == "file"
        if entry["sha256"]:
            if entry["source"]:
                self.set_rights(Path(entry["source"]), entry)
                self.module.atomic_move(entry["source"], str(path), keep_dest_attrs=False)
            return bool(entry["source"]) or str(path) in self.wanted
        old, new = path.read_bytes() if is_file else b"", base64.b64decode(entry["content"])
        if is_file and old == new:
            return False
        if self.module._diff and not entry["private"]:
            before, after = (text.decode(errors="replace") for text in (old, new))
            self.diffs.append({"before_header": str(path), "before": before, "after_header": str(path), "after": after})
        if not self.module.check_mode:
            self.write(path, entry, new)
        return True

    def write(self, path: Path, entry: dict[str, Any], content: bytes) -> None:
        """Replace a file by one that has been checked and has its rights."""
        number, name = tempfile.mkstemp(dir=path.parent, prefix=".cluster-")
        temporary = Path(name)
        try:
            with os.fdopen(number, "wb") as file:
                file.write(content)
            if entry["validate"]:
                code, output, errors = self.module.run_command(entry["validate"] % temporary)
                if code:
                    self.module.fail_json(msg=f"{path} would not be valid: {(errors or output).strip()}")
            self.set_rights(temporary, entry)
            temporary.rename(path)
        finally:
            temporary.unlink(missing_ok=True)

    def set_rights(self, path: Path, entry: dict[str, Any]) -> bool:
        """Set owner, group and mode; tell whether they were others."""
        rights = {"owner": entry["owner"], "group": entry["owner"], "mode": entry["mode"]}
        arguments = self.module.load_file_common_arguments({"path": str(path), "follow": True, **rights})
        return bool(self.module.set_fs_attributes_if_different(arguments, changed=False))


def expected(entry: dict[str, Any]) -> dict[str, str]:
    """Return what is to be at the entry's path, as cluster-look describes what it finds."""
    found = {"kind": entry["kind"]}
    if entry["kind"] == "link":
        return found | {"link": entry["link"]}
    if entry["kind"] in ("file", "directory"):
        found |= {"owner": entry["owner"], "group": entry["owner"], "mode": entry["mode"]}
    if entry["kind"] == "file":
        found["sha256"] = entry["sha256"] or hashlib.sha256(base64.b64decode(entry["content"])).hexdigest()
    return found


def kind(path: Path) -> str:
    """Return what a path is: absent, link, directory or file."""
    if path.is_symlink():
        return "link"
    if path.is_dir():
        return "directory"
    return "file" if path.exists() else "absent"


def main() -> None:
    """Run the module."""
    spec = {
        "files": {"type": "list", "elements": "dict", "required": True, "options": ENTRY},
        "looks": {"type": "dict", "required": True},
        "role": {"type": "str", "required": True},
    }
    module = AnsibleModule(spec, supports_check_mode=True)
    host = Host(module)
    files = module.params["files"]
    found = {entry["path"]: expected(entry) for entry in files}
    note(module, "files", {"files": found, "looks": module.params["looks"]})
    # Programs are there before anything else is changed: one checks the configuration that comes with it.
    host.wanted = [entry["path"] for entry in files if entry["sha256"] and not entry["source"] and host.differs(entry)]
    for entry in files if module.check_mode or not host.wanted else ():
        try:
            host.install(entry)
        except OSError as error:
            module.fail_json(msg=f"{entry['path']}: {error.strerror}")
    module.exit_json(changed=bool(host.paths), paths=host.paths, wanted=host.wanted, diff=host.diffs)


if __name__ == "__main__":
    main()
