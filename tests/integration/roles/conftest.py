"""A tiny playbook and an inventory of this machine, under two names."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Write = Callable[[str], Path]
TWO_HOSTS = "one ansible_connection=local\ntwo ansible_connection=local\n"


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    path = tmp_path / "hosts.ini"
    path.write_text(f"{TWO_HOSTS}[all:vars]\nansible_become=false\nansible_python_interpreter={sys.executable}\n")
    return path


@pytest.fixture
def playbook(tmp_path: Path) -> Write:
    def write(tasks: str) -> Path:
        path = tmp_path / "play.yml"
        body = "\n".join(f"    {line}" for line in tasks.strip("\n").splitlines())
        path.write_text(f"- name: Play\n  hosts: all\n  gather_facts: false\n  tasks:\n{body}\n")
        return path

    return write
