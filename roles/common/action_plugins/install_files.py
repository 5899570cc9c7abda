"""Action of module install_files: renders templates and reads files here, and sends all of them in one call."""

import base64
import hashlib
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.errors import AnsibleActionFail
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.template import trust_as_template

KINDS = {"template", "pki", "link", "state"}
OPTIONS = {"path", "vars", "owner", "mode", "private", "validate", "when", *KINDS}
PUBLIC = (".crt", ".pub")  # of the cluster's certificates and keys


class ActionModule(ActionBase):  # type: ignore[misc] # Ansible has no types
    """Install files, directories and links on a host."""

    _VALID_ARGS = frozenset({"files", "programs", "looks"})

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the module's result."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        self._variables = task_vars or {}
        entries: list[dict[str, Any]] = []
        if not boolean(self._value("cluster_release_mounted")):  # on the others role host links them all
            entries += [self._program(name) for name in self._task.args.get("programs", [])]
        entries += [self._entry(item) for item in self._task.args.get("files", []) if boolean(item.get("when", True))]
        answer = self._call(entries)
        if answer.get("wanted") and not self._task.check_mode:
            for entry in entries:
                if entry["path"] in answer["wanted"]:
                    entry["source"] = self._send(entry["local"])
            answer = self._call(entries)
        return result | answer

    def _call(self, entries: list[dict[str, Any]]) -> dict[str, Any]:
        files = [{name: value for name, value in entry.items() if name != "local"} for entry in entries]
        role = self._task._role.get_name() if self._task._role else ""
        arguments = {"files": files, "looks": self._task.args.get("looks", {}), "role": role}
        answer: dict[str, Any] = self._execute_module("install_files", arguments, task_vars=self._variables)
        answer.pop("invocation", None)  # as long as all files
        return answer

    def _value(self, name: str) -> Any:
        return self._templar.template(self._variables[name])

    def _entry(self, item: dict[str, Any]) -> dict[str, Any]:
        """Return what the module is told of one item."""
        kind = KINDS & set(item)
        options = OPTIONS - ({"mode", "private"} if "pki" in kind else set())
        if len(kind) != 1 or "path" not in item or set(item) - options:
            raise AnsibleActionFail(
                f"An entry of `files` has a path, one of {', '.join(sorted(KINDS))}, and no more than"
                f" {', '.join(sorted(options - KINDS))}: {item}"
            )
        entry: dict[str, Any] = {name: item[name] for name in ("path", "private", "validate") if name in item}
        entry["owner"] = item.get("owner", "root")
        match kind.pop():
            case "template":
                text = self._render(item["template"], item.get("vars", {}))
                return entry | {"kind": "file", "mode": item.get("mode", "0644"), "content": _base64(text.encode())}
            case "pki":
                secret = not item["pki"].endswith(PUBLIC)
                content = _base64(self._local(f"{self._value('cluster_pki_dir')}/{item['pki']}").read_bytes())
                rights = {"private": secret, "mode": "0600" if secret else "0644"}
                return entry | rights | {"kind": "file", "content": content}
            case "link":
                return entry | {"kind": "link", "link": item["link"]}
            case _ if item["state"] == "absent":
                return entry | {"kind": "absent"}
            case _:
                return entry | {"kind": "directory", "mode": item.get("mode", "0755")}

    def _program(self, name: str) -> dict[str, Any]:
        path = f"{self._value('cluster_bin_dir')}/{name}"
        local = self._local(f"{self._value('cluster_release_dir')}/bin/{name}")
        with local.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return {"path": path, "owner": "root", "kind": "file", "mode": "0755", "sha256": digest, "local": str(local)}

    def _local(self, path: str) -> Path:
        return Path(self._loader.get_real_file(path))  # decrypted, if it is a vault's

    def _render(self, template: str, variables: dict[str, Any]) -> str:
        # Not by Ansible's lookup, which copies all variables in depth for each template.
        path = Path(self._find_needle("templates", template))
        known = {"ansible_managed": constants.DEFAULT_MANAGED_STR, **self._variables, **variables}
        templar = self._templar.copy_with_new_env(searchpath=[str(path.parent)], available_variables=known)
        text = trust_as_template(self._loader.get_text_file_contents(str(path)))
        rendered: str = templar.template(text, escape_backslashes=False, overrides={"trim_blocks": True})
        return rendered

    def _send(self, path: str) -> str:
        """Copy a file to the host's temporary directory and return where it is."""
        shell = self._connection._shell
        directory = shell.tmpdir or self._make_tmp_path()
        return str(self._transfer_file(path, shell.join_path(directory, Path(path).name)))


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
