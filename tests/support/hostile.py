"""An environment in which everything that a person may have exported or configured is set, and set badly."""

from pathlib import Path

# What none of the project's programs can do with: each of these alone has stopped or changed a run.
_VARIABLES = {
    # A locale that is not installed
    "LC_ALL": "tr_TR.UTF-8",
    "LANG": "tr_TR.UTF-8",
    "TZ": "Pacific/Kiritimati",
    "COLUMNS": "5",
    "LINES": "2",
    "FORCE_COLOR": "1",
    "TTY_COMPATIBLE": "1",
    # Nobody listens there
    **{f"{scheme}_PROXY": "http://127.0.0.1:9" for scheme in ("HTTP", "HTTPS")},
    **{f"{scheme}_proxy": "http://127.0.0.1:9" for scheme in ("http", "https")},
    "ALL_PROXY": "socks5://127.0.0.1:9",
    "ANSIBLE_ROLES_PATH": "/nowhere",
    "ANSIBLE_CONFIG": "/nowhere/ansible.cfg",
    "ANSIBLE_BECOME_ASK_PASS": "1",
    "ANSIBLE_SKIP_TAGS": "all",
    "ANSIBLE_STRATEGY": "debug",
    "ANSIBLE_SSH_ARGS": "-o ProxyCommand=false",
    "ANSIBLE_REMOTE_USER": "nobody",
    "VAGRANT_VAGRANTFILE": "Nofile",
    "VAGRANT_DEFAULT_PROVIDER": "vmware",
    "VAGRANT_LOG": "debug",
    "RUBYOPT": "-rnothing",
    "DOCKER_CONTENT_TRUST": "1",
    "DOCKER_API_VERSION": "1.0",
    "DOCKER_DEFAULT_PLATFORM": "linux/s390x",
    "PYTEST_ADDOPTS": "--no-such-option",
    "PYTEST_PLUGINS": "no_such_plugin",
    "PIP_USER": "1",
    "PIP_TARGET": "/nowhere",
    "PIP_REQUIRE_VIRTUALENV": "1",
    "GOFLAGS": "-no-such-flag",
    "KUBECONFIG": "/nowhere/kubeconfig",
    "PYTHONOPTIMIZE": "2",
    "PYTHONWARNINGS": "error",
    "PYTHONIOENCODING": "ascii",
    "PYTHONUTF8": "0",
    "SSH_AUTH_SOCK": "/nowhere/agent",
    "XDG_CACHE_HOME": "not/absolute",
    "CDPATH": "/",
}


def environment(directory: Path) -> dict[str, str]:
    """Write what a person may have configured below `directory`, and return the variables, HOME among them."""
    home, modules, other = directory / "home", directory / "modules", directory / "another project"
    sockets = directory / ("long" * 30)
    for one in (home / ".config" / "pip", modules, other, sockets):
        one.mkdir(parents=True)
    (home / ".ansible.cfg").write_text("[defaults]\nroles_path = /nowhere\nstdout_callback = nothing\n", "utf-8")
    (home / ".config" / "pip" / "pip.conf").write_text("[global]\nuser = true\n", "utf-8")
    (other / "Vagrantfile").write_text('abort "another project"\n', "utf-8")
    for name in ("yaml", "typer", "docker", "ansible", "pytest", "pip"):
        (modules / f"{name}.py").write_text(f"raise SystemExit('the {name} of PYTHONPATH')\n", "utf-8")
    return _VARIABLES | {
        "HOME": str(home),
        "TMPDIR": str(sockets),
        "PYTHONPATH": str(modules),
        "VAGRANT_CWD": str(other),
        "VAGRANT_DOTFILE_PATH": str(other / "dot"),
    }
