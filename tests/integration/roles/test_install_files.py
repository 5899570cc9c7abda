"""The module that installs all files of a role in one call, run by Ansible on this machine."""

import os
import pwd
import runpy
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible import module_utils  # type: ignore[import-untyped]  # has no types
from ansible.module_utils.basic import AnsibleModule  # type: ignore[import-untyped]  # has no types
from ansible.module_utils.testing import patch_module_args  # type: ignore[import-untyped]  # has no types

from runner.ansible.play import PlaybookOptions, run_playbook
from runner.errors import RolesError
from runner.events import Event, Note
from runner.state import CHECKOUT

USER = pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture(name="host")
def fixture_host(tmp_path: Path) -> Path:
    """A directory for a host's files; beside it the workstation's: a release and the cluster's certificates."""
    for name, content in {"pki/certs/it.crt": "certificate", "pki/certs/it.key": "key"}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content, "utf-8")
    (tmp_path / "release" / "bin").mkdir(parents=True)
    (tmp_path / "release" / "bin" / "large").write_bytes(b"x" * (1 << 20))
    (tmp_path / "host" / "bin").mkdir(parents=True)
    return tmp_path / "host"


def install(host: Path, *files: dict[str, Any], check: bool = False, mounted: bool = True) -> tuple[int, str]:
    """Install files, and return the number of tasks that changed something and the diff that was shown."""
    work = host.parent
    variables = {
        "ansible_become": False,
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "cluster_bin_dir": str(host / "bin"),
        "cluster_pki_dir": str(work / "pki"),
        "cluster_release_dir": str(work / "release"),
        "cluster_release_mounted": mounted,
    }
    entries = [{"owner": USER, **one, "path": str(host / one["path"])} for one in files]
    task = {"name": "Install files", "install_files": {"files": entries, "programs": ["large"] if not mounted else []}}
    play = {"name": "Play", "hosts": "all", "gather_facts": False, "roles": ["common"], "tasks": [task]}
    (work / "play.yml").write_text(yaml.safe_dump([play]), "utf-8")
    (work / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": {"one": variables}}}), "utf-8")
    events: list[Event] = []
    options = PlaybookOptions(str(work / "play.yml"), inventory=work / "hosts.yml", check=check, diff=True)
    recap = run_playbook(options, events.append)
    return recap.tasks("changed"), "\n".join(event.message for event in events if isinstance(event, Note))


def rights(path: Path) -> str:
    return f"{stat.S_IMODE(path.stat().st_mode):04o}"


def test_each_kind_of_entry_comes_to_its_place_and_stays(host: Path) -> None:
    (host.parent / "it.j2").write_text("{{ name }}\n", "utf-8")
    (host / "former").mkdir()
    (host / "former" / "file").touch()
    files: list[dict[str, Any]] = [
        {"path": "etc/deep", "state": "directory", "mode": "0700"},
        {"path": "etc/rendered", "template": str(host.parent / "it.j2"), "vars": {"name": "it"}, "mode": "0640"},
        {"path": "etc/server.crt", "pki": "certs/it.crt"},
        {"path": "etc/server.key", "pki": "certs/it.key"},
        {"path": "link", "link": "/nowhere/yet"},
        {"path": "former", "state": "absent"},
        {"path": "unwanted", "state": "directory", "when": False},
    ]
    assert install(host, *files, check=True)[0] == 1
    assert sorted(path.name for path in host.iterdir()) == ["bin", "former"]
    assert install(host, *files)[0] == 1
    assert (host / "etc" / "rendered").read_text("utf-8") == "it\n"
    assert (host / "link").readlink() == Path("/nowhere/yet")
    assert sorted(path.name for path in host.iterdir()) == ["bin", "etc", "link"]
    modes = {path.name: rights(path) for path in (host / "etc").iterdir()}
    assert modes == {"deep": "0700", "rendered": "0640", "server.crt": "0644", "server.key": "0600"}
    assert install(host, *files)[0] == 0
    assert install(host, *files, check=True)[0] == 0


def test_what_somebody_changed_is_found_and_mended(host: Path) -> None:
    paths = [host / name for name in ("rights", "content", "removed", "linked")]
    entries = [{"path": path.name, "pki": "certs/it.crt"} for path in paths]
    install(host, *entries)
    paths[0].chmod(0o666)
    paths[1].write_text("by hand", "utf-8")
    paths[2].unlink()
    paths[3].unlink()
    paths[3].symlink_to("/etc/passwd")
    passwd = Path("/etc/passwd").read_bytes()
    assert install(host, *entries, check=True)[0] == 1
    _, shown = install(host, *entries)
    assert [path.name for path in paths if f"after: {path}" in shown] == ["content", "removed", "linked"]
    for path in paths:
        assert path.read_text("utf-8") == "certificate"
        assert not path.is_symlink()
        assert rights(path) == "0644"
    assert Path("/etc/passwd").read_bytes() == passwd


def test_a_diff_shows_a_change_and_never_a_key(host: Path) -> None:
    _, shown = install(
        host, {"path": "server.crt", "pki": "certs/it.crt"}, {"path": "server.key", "pki": "certs/it.key"}
    )
    assert f"+++ after: {host}/server.crt" in shown
    assert "+certificate" in shown
    assert "+key" not in shown


def test_a_file_that_is_not_valid_stays_as_it_was(host: Path) -> None:
    entry = {"path": "file", "pki": "certs/it.crt"}
    install(host, {**entry, "validate": "grep certificate %s"})
    (host.parent / "pki" / "certs" / "it.crt").write_text("nonsense", "utf-8")
    with pytest.raises(RolesError, match="file would not be valid"):
        install(host, {**entry, "validate": "grep certificate %s"})
    assert [path.name for path in host.iterdir() if path.name != "bin"] == ["file"]
    assert (host / "file").read_text("utf-8") == "certificate"


def test_programs_are_copied_to_hosts_that_do_not_see_the_release(host: Path) -> None:
    program = host / "bin" / "large"
    install(host, mounted=True)
    assert not program.exists()
    assert install(host, mounted=False, check=True)[0] == 1
    assert not program.exists()
    assert install(host, mounted=False)[0] == 1
    assert program.stat().st_size == 1 << 20
    assert rights(program) == "0755"
    assert install(host, mounted=False)[0] == 0
    program.write_text("by hand", "utf-8")
    assert install(host, mounted=False)[0] == 1
    assert program.stat().st_size == 1 << 20


def test_programs_are_there_before_a_file_is_checked_by_one_of_them(host: Path) -> None:
    (host.parent / "release" / "bin" / "large").write_bytes(b"#!/bin/sh\ngrep certificate $1\n".ljust(1 << 20))
    install(host, {"path": "file", "pki": "certs/it.crt", "validate": f"{host}/bin/large %s"}, mounted=False)
    assert (host / "file").read_text("utf-8") == "certificate"


@pytest.mark.parametrize(
    "entry", [{}, {"pki": "x", "template": "y"}, {"state": "directory", "contents": "x"}], ids=["no", "two", "unknown"]
)
def test_a_misspelt_entry_is_named(host: Path, entry: dict[str, Any]) -> None:
    with pytest.raises(RolesError, match="has a path, one of link, pki, state, template"):
        install(host, {"path": "file", **entry})


@pytest.mark.parametrize("check", [True, False], ids=["check", "run"])
def test_what_is_somebodys_in_the_place_of_another_kind_stays(host: Path, *, check: bool) -> None:
    (host / "file").write_text("somebody's", "utf-8")
    (host / "directory").mkdir()
    for entry, found in (
        ({"path": "file", "state": "directory"}, "a file is in the place of a directory"),
        ({"path": "file", "link": "/nowhere"}, "a file is in the place of a link"),
        ({"path": "directory", "pki": "certs/it.crt"}, "a directory is in the place of a file"),
    ):
        with pytest.raises(RolesError, match=f"host/{entry['path']}: {found}"):
            install(host, entry, check=check)
    assert (host / "file").read_text("utf-8") == "somebody's"


def test_a_directory_may_be_a_link_to_one(host: Path) -> None:
    (host / "disk").mkdir(mode=0o700)
    (host / "data").symlink_to(host / "disk")
    assert install(host, {"path": "data", "state": "directory"})[0] == 1
    assert (host / "data").is_symlink()
    assert rights(host / "disk") == "0755"
    assert install(host, {"path": "data", "state": "directory"})[0] == 0


def test_text_is_as_good_as_a_boolean(host: Path) -> None:
    """Inventories in INI and variables of the command line have nothing else."""
    assert install(host, {"path": "unwanted", "state": "directory", "when": "false"})[0] == 0
    assert list(host.iterdir()) == [host / "bin"]


def test_without_a_role_nothing_is_noted(host: Path) -> None:
    """Notes are for cluster-look of role host; here they would be the workstation's."""
    install(host, {"path": "etc", "state": "directory"})
    assert not Path("/var/lib/cluster/roles/files.json").exists()


def test_no_content_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ansible's modules write their arguments to the journal of the host."""
    common = CHECKOUT / "roles" / "common"
    monkeypatch.setattr(module_utils, "__path__", [*module_utils.__path__, str(common / "module_utils")])
    specification = runpy.run_path(str(common / "library" / "install_files.py"))["ENTRY"]
    arguments = {"files": [{"path": "/key", "kind": "file", "owner": "root", "content": "c2VjcmV0"}]}
    logged: list[str] = []
    monkeypatch.setattr(AnsibleModule, "log", lambda _, message, **__: logged.append(str(message)))
    spec = {"files": {"type": "list", "elements": "dict", "options": specification}}
    with patch_module_args(arguments):
        AnsibleModule(spec)
    assert "/key" in logged[0]
    assert "c2VjcmV0" not in logged[0]
