"""Ansible: inventories, playbook runs and what they report."""

from runner.ansible.inventory import build_inventory, read_inventory, rendered
from runner.ansible.play import PlaybookOptions, ansible_environment, run_playbook

__all__ = ["PlaybookOptions", "ansible_environment", "build_inventory", "read_inventory", "rendered", "run_playbook"]
